"""manage.py revoke_invitation ID."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import invitations
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """Take an invitation back."""

    help = "Take an open invitation back: its link is dead."

    def add_arguments(self, parser: CommandParser) -> None:
        """ID and --reason."""
        parser.add_argument("invitation_id", help="as invite and list_invitations tell it")
        parser.add_argument("--reason", default="", help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """Revoke it."""
        actor = Actor(source=SYSTEM, reason=options["reason"][:500])
        revoked = invitations.revoke(invitation_id=options["invitation_id"], actor=actor)
        self.stdout.write(f"the invitation of {revoked.email} ({revoked.id}) is revoked")
