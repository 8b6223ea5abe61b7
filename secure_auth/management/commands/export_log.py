"""manage.py export_log --out DIR."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.events import SYSTEM
from audit.verify.faults import Bad
from secure_auth import verification
from secure_auth.management.line import tidied_when_stopped
from secure_auth.management.operator import OperatorCommand
from secure_auth.management.verifying import progress_bar


class Command(OperatorCommand):
    """Write the log for judges elsewhere."""

    help = (
        "Write the log as far as it is signed, with what opens its personal data, into a new directory: what "
        "'verify_log --export DIR --key VKEY' needs on another machine. The directory appears when it is whole. "
        "It holds personal data; docs/verifying.md tells its format. The export is an event."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--out."""
        parser.add_argument(
            "--out", required=True, type=Path, metavar="DIR", help="a directory that is not there yet"
        )

    def act(self, **options: Any) -> None:
        """Export, and say how much."""
        try:
            with tidied_when_stopped(), progress_bar("writing the log") as advance:
                entries = verification.export_log(
                    directory=options["out"].absolute(), source=SYSTEM, on_progress=advance
                )
        except Bad as fault:
            raise CommandError(f"the log is bad, {fault}; see verify_log") from fault
        self.stdout.write(f"{options['out']}: {entries} entries")
