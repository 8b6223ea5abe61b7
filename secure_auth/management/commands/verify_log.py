"""manage.py verify_log."""

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from secure_auth import verification
from secure_auth.management.verifying import VerifyingCommand


class Command(VerifyingCommand):
    """Judge the log."""

    help = (
        "Re-read the whole log and say whether it is what it was: every entry, event, commitment, node and checkpoint, "
        "and that it continues the checkpoint kept in DATA_DIR and every --checkpoint. The last line is "
        "'ok: N entries, size S, root R, pending P' or 'BAD: …' with the first bad entry; the exit status 0 or 1. "
        "It changes nothing, and the service may run meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--checkpoint, --key, --resume, --export."""
        parser.add_argument(
            "--checkpoint", action="append", default=[], type=Path, metavar="FILE",
            help="a signed checkpoint that was kept elsewhere; may be given several times",
        )  # fmt: skip
        parser.add_argument(
            "--key", action="append", default=[], metavar="VKEY",
            help="trust this verifier key instead of the key ring, or this witness; may be given several times",
        )  # fmt: skip
        parser.add_argument(
            "--resume", action="store_true",
            help="go on where an interrupted run stopped; what that run read is not read again",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Judge, line by line."""
        try:
            self.show_verdict(
                lambda say, on_progress: verification.verify_log(
                    given=options["checkpoint"],
                    vkeys=options["key"],
                    resume=options["resume"],
                    say=say,
                    on_progress=on_progress,
                )
            )
        except (DatabaseError, psycopg.Error, sqlite3.Error) as error:
            raise CommandError(
                f"the log cannot be read ({str(error).strip()}); give the service's environment"
            ) from error
