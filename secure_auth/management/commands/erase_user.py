"""manage.py erase_user EMAIL --reason TEXT."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import erasure
from secure_auth.acting import Actor
from secure_auth.management.operator import OperatorCommand, stated


class Command(OperatorCommand):
    """Erase a person."""

    help = (
        "End an account for good, and delete from the audit log whom its events were about: user, address, user agent, "
        "free text, and the salts of their commitments. Every proof still verifies. audit.erase events say which "
        "events they were. A run that was interrupted is finished by the next."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """EMAIL and --reason."""
        parser.add_argument("email", help="the account's address, or one that was only ever typed")
        parser.add_argument(
            "--reason",
            required=True,
            type=stated,
            help="why, for the audit log; it should not name the person",
        )

    def act(self, **options: Any) -> None:
        """Erase, and say how much it was."""
        actor = Actor(source=SYSTEM, reason=options["reason"][:500])
        done = erasure.erase_user(email=options["email"], actor=actor)
        self.stdout.write(f"erased: the account, and the personal data of {done.events} events")
