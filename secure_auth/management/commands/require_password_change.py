"""manage.py require_password_change EMAIL."""

from secure_auth import administration
from secure_auth.acting import Actor
from secure_auth.management.operator import AccountCommand
from secure_auth.models import User


class Command(AccountCommand):
    """Have an account change its password first; the owner is told by mail."""

    help = (
        "Have an account change its password before it does anything else. Its sessions stay, but open little until "
        "then; the owner is told by mail."
    )

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        administration.require_password_change(user=user, actor=actor)
        return f"{user.email} must change the password"
