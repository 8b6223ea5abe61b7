"""manage.py new_log --reason TEXT."""

from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth import integration
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """A successor log."""

    help = (
        "End the current log and begin its successor, under another origin. Its first entry holds the last known "
        "checkpoint of the old log. For a database that was restored from a backup: the old log can't be continued."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--reason."""
        parser.add_argument("--reason", required=True, help="why, for the audit log")

    def act(self, **options: Any) -> None:
        """Begin it, and say how it is called."""
        head = integration.new_log(reason=options["reason"][:500], source=SYSTEM)
        (key, *_) = integration.verifier_keys(head.origin)
        self.stdout.write(f"log {head.log}: {head.origin}\nverifier key: {key}")
