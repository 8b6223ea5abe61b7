"""manage.py axes_reset_username EMAIL..., in place of django-axes' command: the same here, with its event."""

from typing import Any

from django.core.management.base import CommandParser

from secure_auth.management.operator import ResetCommand


class Command(ResetCommand):
    """Lift the password's locks of accounts."""

    help = "Lift the password's locks of accounts, known or not. `unlock` lifts the second step's too."

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL..."""
        super().add_arguments(parser)
        parser.add_argument(
            "username", nargs="+", help="an e-mail address, or an id that axes_list_attempts shows"
        )

    def targets(self, options: dict[str, Any]) -> list[dict[str, str]]:
        """Each account."""
        return [{"username": username} for username in options["username"]]
