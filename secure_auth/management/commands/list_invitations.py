"""manage.py list_invitations."""

from typing import Any

from django.utils import timezone

from secure_auth import invitations
from secure_auth.management.operator import ReadingCommand


class Command(ReadingCommand):
    """The invitations."""

    help = "List invitations, oldest first: id, address, role, state, and when each ends."

    def read(self, **options: Any) -> None:
        """One line an invitation, divided by tabs."""
        for one in invitations.list_invitations():
            state = invitations.state_of(one, timezone.now())
            ends = f"{one.expires_at:%Y-%m-%dT%H:%M:%SZ}"
            self.stdout.write("\t".join([one.id, one.email, one.role or "none", state, ends]))
