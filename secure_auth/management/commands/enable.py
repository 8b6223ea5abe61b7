"""manage.py enable EMAIL."""

from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import AccountCommand
from secure_auth.models import User


class Command(AccountCommand):
    """Enable a disabled account."""

    help = "Enable a disabled account."

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        administration.enable(user=user, actor=actor)
        return f"{user.email} is enabled"
