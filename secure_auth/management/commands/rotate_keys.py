"""manage.py rotate_keys."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.events import SYSTEM
from secure_auth import rings
from secure_auth.management.operator import OperatorCommand, count_sessions
from secure_auth.models import Key


class Command(OperatorCommand):
    """Move a ring on."""

    help = (
        "Make the next key of a ring the active one, retire the active one, and make a new next key. Reaches all "
        "workers of all nodes within 30 seconds, without a restart and without a failed request. With --compromised "
        "KID that signing key and every token it signed are dead at once, and what they open ends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--purpose or --compromised."""
        parser.add_argument("--purpose", choices=[str(one) for one in rings.ROTATED_BY_COMMAND])
        parser.add_argument("--compromised", metavar="KID", help="a signing key that somebody else may hold")

    def act(self, **options: Any) -> None:
        """Rotate, and say which keys stand now."""
        purpose, compromised = options["purpose"], options["compromised"]
        if compromised is None:
            purpose = purpose or Key.Purpose.SIGNING
            rotated = rings.rotate(purpose=purpose, source=SYSTEM)
            self.stdout.write(f"{purpose}: active {rotated.active}, next {rotated.next}")
            return
        if purpose not in (None, Key.Purpose.SIGNING):
            raise CommandError("--compromised takes a signing key")
        rotated, ended = rings.compromise(kid=compromised, source=SYSTEM)
        self.stdout.write(
            f"{compromised} is gone, {count_sessions(ended)} ended\n"
            f"signing: active {rotated.active}, next {rotated.next}"
        )
