"""manage.py check_proof FILE --key VKEY."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.verify.faults import Bad
from secure_auth import verification
from secure_auth.acting import Refused
from secure_auth.management.verifying import BAD, VerifyingCommand


class Command(VerifyingCommand):
    """Judge a proof file."""

    help = (
        "Judge a proof: that the leaf is in the log that the key signs, and that event and personal data are those of "
        "the leaf. Takes what 'prove' and audit/events/ID/proof/ give, and with --leaf a C2SP tlog-proof. Wants no "
        "database. The last line is 'ok: …' or 'BAD: …', the exit status 0 or 1; 2 where it can't be judged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE, --key, --leaf."""
        parser.add_argument("file", type=Path, metavar="FILE", help="a proof in JSON, or a tlog-proof")
        parser.add_argument(
            "--key", action="append", required=True, metavar="VKEY",
            help="the log's verifier key, from where you trust it; also keys of witnesses",
        )  # fmt: skip
        parser.add_argument("--leaf", type=Path, metavar="FILE", help="the leaf's bytes, for a tlog-proof")

    def handle(self, *args: Any, **options: Any) -> None:
        """Judge, in one line."""
        try:
            verdict = verification.check_proof(
                path=options["file"], vkeys=options["key"], leaf_path=options["leaf"]
            )
        except Bad as fault:
            self.stdout.write(f"BAD: {fault}")
            raise SystemExit(BAD) from None
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(verdict)
