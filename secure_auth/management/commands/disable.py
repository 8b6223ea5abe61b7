"""manage.py disable EMAIL."""

from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import AccountCommand
from secure_auth.models import User


class Command(AccountCommand):
    """Disable an account: no door opens, its sessions end."""

    help = "Disable an account: no door opens, its sessions end."

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        administration.disable(user=user, actor=actor)
        return f"{user.email} is disabled"
