"""manage.py reset_mfa EMAIL [--cancel]."""

from typing import Any

from django.core.management.base import CommandParser

from secure_auth import letters, recovery
from secure_auth.acting import Actor
from secure_auth.management.operator import AccountCommand
from secure_auth.models import User


class Command(AccountCommand):
    """Remove an account's second factors and end its sessions; the next login enrols again."""

    help = (
        "Remove an account's second factors and end its sessions; the next login enrols again. With "
        "RESET_MFA_DELAY_SECONDS it takes effect after that time, unless the owner or an admin cancels it."
    )
    cancel = False

    def add_arguments(self, parser: CommandParser) -> None:
        """As for every account, and --cancel."""
        super().add_arguments(parser)
        parser.add_argument("--cancel", action="store_true", help="cancel the reset that is waiting")

    def act(self, **options: Any) -> None:
        """See help."""
        self.cancel = options["cancel"]
        super().act(**options)

    def act_on(self, user: User, actor: Actor) -> str:
        """See help."""
        if self.cancel:
            recovery.cancel_reset_mfa(user=user, actor=actor)
            return f"the reset of {user.email} is cancelled"
        when = recovery.reset_mfa(user=user, actor=actor)
        if when is None:
            return f"the second factor of {user.email} is removed"
        return f"the second factor of {user.email} will be removed at {letters.moment(when)} UTC, unless cancelled"
