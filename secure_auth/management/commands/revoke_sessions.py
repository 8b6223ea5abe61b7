"""manage.py revoke_sessions EMAIL."""

from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import AccountCommand, count_sessions
from secure_auth.models import User


class Command(AccountCommand):
    """End all sessions of an account and every login under way."""

    help = "End all sessions of an account and every login under way."

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        ended = administration.revoke_sessions(user=user, actor=actor)
        return f"{count_sessions(ended)} of {user.email} ended"
