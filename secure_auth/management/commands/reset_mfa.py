"""manage.py reset_mfa EMAIL."""

from secure_auth import administration
from secure_auth.administration import Actor
from secure_auth.management.operator import AccountCommand
from secure_auth.models import User


class Command(AccountCommand):
    """Remove an account's second factors and end its sessions; the next login enrols again."""

    help = "Remove an account's second factors and end its sessions; the next login enrols again."

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        administration.reset_mfa(user=user, actor=actor)
        return f"the second factor of {user.email} is removed"
