"""manage.py unlock EMAIL."""

from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import AccountCommand
from secure_auth.models import User


class Command(AccountCommand):
    """Lift every lock of an account, of both steps; the owner is told by mail."""

    help = "Lift every lock of an account, of both steps; the owner is told by mail."

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        administration.unlock(user=user, actor=actor)
        return f"{user.email} is unlocked"
