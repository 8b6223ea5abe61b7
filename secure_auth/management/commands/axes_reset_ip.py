"""manage.py axes_reset_ip IP..., in place of django-axes' command: the same on this service's state, with its event."""

from typing import Any

from django.core.management.base import CommandParser

from secure_auth.management.operator import ResetCommand


class Command(ResetCommand):
    """Lift the password step's limits of sources, and the locks of all accounts there."""

    help = "Lift the password step's limits of sources, and the locks of all accounts at these sources."

    def add_arguments(self, parser: CommandParser) -> None:
        """IP..."""
        super().add_arguments(parser)
        parser.add_argument(
            "ip", nargs="+", help="an address; of IPv6 its /64 is meant, which may stand here too"
        )

    def targets(self, options: dict[str, Any]) -> list[dict[str, str]]:
        """Each address."""
        return [{"ip": ip} for ip in options["ip"]]
