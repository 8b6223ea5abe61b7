"""manage.py new_log --reason TEXT."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from audit.verify.faults import printable
from audit.vocabulary import Keeper
from secure_auth import integration, succession, verification
from secure_auth.management.operator import OperatorCommand, stated
from secure_auth.succession import Claim, Succession

KNOWN_BY = {Keeper.DATABASE: "a checkpoint in the database", Keeper.FILE: "the checkpoint in DATA_DIR"}


class Command(OperatorCommand):
    """A successor log."""

    help = (
        "End the current log and begin its successor, under another origin. Its first entry holds the last known "
        "checkpoint of the old log, after every witness was asked. For a database that was restored from a backup: the "
        "old log can't be continued."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--reason and --checkpoint."""
        parser.add_argument("--reason", required=True, type=stated, help="why, for the audit log")
        parser.add_argument(
            "--checkpoint", action="append", default=[], type=Path, metavar="FILE",
            help="a checkpoint of the old log that another node or somebody else kept; may be given several times",
        )  # fmt: skip

    def act(self, **options: Any) -> None:
        """Begin it, and say how it is called and what is known of the one before."""
        given = [verification.read_outside(path) for path in options["checkpoint"]]
        begun = succession.new_log(reason=options["reason"][:500], source=SYSTEM, given=given)
        (key, *_) = integration.verifier_keys(begun.head.origin)
        self.stdout.write(f"log {begun.head.log}: {begun.head.origin}\nverifier key: {key}")
        if begun.last:
            self.stdout.write(f"log {begun.before.log} {_what_is_lost(begun, begun.last)}")
        for one in begun.gone:
            self.stdout.write(f"{one.origin} is not here, known are {one.size}: the whole log is lost")
        if begun.not_kept:
            self.stdout.write(f"DATA_DIR took no checkpoint of it ({begun.not_kept}): the worker writes it")
        for memory in begun.memories:
            if memory.size is None:
                self.stdout.write(
                    f"{memory.witness} told nothing ({printable(memory.why)}): it may know of more"
                )


def _what_is_lost(begun: Succession, last: Claim) -> str:
    knew = (
        KNOWN_BY.get(last.keeper)
        or f"{last.witness}, {'by a checkpoint' if last.checkpoint else 'by its word'}"
    )
    has = f"has {begun.before.size} entries here"
    if not last.is_contradiction:
        return f"{has}, and nothing that is known of it is lost"
    if last.size > begun.before.size:
        return f"{has}, known are {last.size} ({knew}): {last.size - begun.before.size} are lost"
    return f"{has}, known are {last.size} of another history ({knew})"
