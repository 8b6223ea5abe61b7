"""manage.py prune --older-than AGE."""

import argparse
import re
import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from secure_auth import retention
from secure_auth.management.operator import OperatorCommand

UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
LONGEST = timedelta(days=36_500)  # as of AUDIT_RETENTION_DAYS


class Command(OperatorCommand):
    """Retention by hand."""

    help = (
        "Delete the bodies and personal data of old events for good. Their entries stay, so that every proof still "
        "verifies. An audit.prune event says so first. A run that was interrupted while it deleted is finished by the "
        "next."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--older-than and --yes."""
        parser.add_argument(
            "--older-than",
            required=True,
            type=_age,
            metavar="AGE",
            help="400d; also h, m and s for hours to seconds",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def act(self, **options: Any) -> None:
        """Ask, prune, and say how much it was."""
        before = retention.moment_ago(options["older_than"])
        told = f"{before:%Y-%m-%d %H:%M:%S} UTC"
        if not options["yes"]:
            self._ask(f"{retention.count(before)} events before {told} lose their bodies for good.")
        done = retention.prune(before=before)
        self.stdout.write(f"pruned: {done.events} events before {done.before:%Y-%m-%d %H:%M:%S} UTC")

    def _ask(self, question: str) -> None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise CommandError(f"{question} Say --yes")
        if input(f"{question} Type yes: ").strip() != "yes":
            raise CommandError("nothing was deleted")


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([dhms])", text)
    if not found:
        raise argparse.ArgumentTypeError("not an age such as 400d")
    age = timedelta(**{UNITS[found[2]]: int(found[1])})
    if age > LONGEST:
        raise argparse.ArgumentTypeError(f"more than {LONGEST.days}d")
    return age
