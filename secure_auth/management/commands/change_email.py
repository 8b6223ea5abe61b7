"""manage.py change_email EMAIL NEW --reason TEXT."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import address_change, administration
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand, stated


class Command(OperatorCommand):
    """Change an account's address."""

    help = (
        "Change the address of an account whose mailbox is lost. Its sessions end; both addresses are told by mail. "
        "Password and second factors stay as they are."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL, NEW and --reason."""
        parser.add_argument("email", help="the account's address")
        parser.add_argument("new", help="the address that it gets")
        parser.add_argument("--reason", required=True, type=stated, help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """See help."""
        user = administration.find_user(options["email"])
        actor = Actor(source=SYSTEM, reason=options["reason"][:500])
        address_change.change_by_operator(user=user, new_email=options["new"], actor=actor)
        self.stdout.write(f"{user.email} is now {options['new']}")
