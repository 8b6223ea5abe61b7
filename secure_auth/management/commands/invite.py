"""manage.py invite EMAIL."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import invitations
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """Invite somebody."""

    begins = True
    help = (
        "Mail somebody the right to make an account of this address. The link is in the mail only; an address that has "
        "an account gets none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL, --role and --reason."""
        parser.add_argument("email", help="whom to invite")
        parser.add_argument(
            "--role", choices=("auditor", "admin"), default="", help="what the account will be"
        )
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """Invite, and say which invitation it is."""
        actor = Actor(source=SYSTEM, reason=options["reason"][:500])
        made = invitations.invite(email=options["email"], role=options["role"], actor=actor)
        self.stdout.write(f"invited {made.email} {made.id}, until {made.expires_at:%Y-%m-%dT%H:%M:%SZ}")
