"""manage.py verify_log."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from secure_auth import verification, verifications
from secure_auth.acting import Refused
from secure_auth.errors import first_line
from secure_auth.management.verifying import VerifyingCommand
from secure_auth.supervisor import end_with_parent


class Command(VerifyingCommand):
    """Judge the log."""

    help = (
        "Re-read the whole log and say whether it is what it was: every entry, event, commitment, node and checkpoint, "
        "and that it continues the checkpoint kept in DATA_DIR and every --checkpoint. The last line is "
        "'ok: N entries, size S, root R, pending P' or 'BAD: …' with the first bad entry; the exit status 0 or 1, "
        "and 2 where it can't be judged. It changes nothing, and the service may run meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--export, --checkpoint, --key, --resume."""
        parser.add_argument(
            "--export", type=Path, metavar="DIR",
            help="judge what export_log wrote, by --key alone: on any machine, without a database",
        )  # fmt: skip
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
        parser.add_argument(
            "--for", dest="verification", metavar="ID",
            help="keep progress and verdict where the console shows them; the worker calls this",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """Judge, line by line."""
        if options["verification"]:
            end_with_parent(os.getppid())
            try:
                self.stdout.write(verifications.run(options["verification"]))
            except Refused as error:
                raise CommandError(str(error)) from error
            return
        if options["export"] and options["resume"]:
            raise CommandError("--resume goes with the database, not with --export")
        asked = {"given": options["checkpoint"], "vkeys": options["key"]}
        if options["export"]:
            judge = partial(verification.verify_export, directory=options["export"], **asked)
        else:
            judge = partial(verification.verify_log, resume=options["resume"], **asked)
        try:
            self.show_verdict(lambda say, on_progress: judge(say=say, on_progress=on_progress))
        except verification.UNREADABLE as error:
            raise CommandError(
                f"the log cannot be read ({first_line(error)}); give the service's environment"
            ) from error
