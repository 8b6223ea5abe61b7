"""manage.py axes_reset_ip_username IP EMAIL, in place of django-axes' command: the same here, with its event."""

from typing import Any

from django.core.management.base import CommandParser

from secure_auth.management.operator import ResetCommand


class Command(ResetCommand):
    """Lift the password's lock of an account at a source."""

    help = "Lift the password's lock of an account at one source."

    def add_arguments(self, parser: CommandParser) -> None:
        """IP and EMAIL."""
        super().add_arguments(parser)
        parser.add_argument("ip", help="an address; of IPv6 its /64 is meant, which may stand here too")
        parser.add_argument("username", help="an e-mail address, or an id that axes_list_attempts shows")

    def targets(self, options: dict[str, Any]) -> list[dict[str, str]]:
        """The account at the source."""
        return [{"ip": options["ip"], "username": options["username"]}]
