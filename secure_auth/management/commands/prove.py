"""manage.py prove EVENT."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from audit.events import SYSTEM
from secure_auth import verification
from secure_auth.management.operator import OperatorCommand


class Command(OperatorCommand):
    """A proof file."""

    help = (
        "Write the proof that an event stands in the log, under the newest signed checkpoint: one JSON object with the "
        "event, its leaf, what opens its personal data, the inclusion path and the checkpoint. "
        "'check_proof FILE --key VKEY' judges it without the service. The reading is an event."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """EVENT and --out."""
        parser.add_argument("event", metavar="EVENT", help="the event's id")
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="into a new file, instead of standard output"
        )

    def act(self, **options: Any) -> None:
        """Prove, and write."""
        proof = verification.prove_event(event_id=options["event"], source=SYSTEM)
        text = json.dumps(proof, indent=2, ensure_ascii=False) + "\n"
        if options["out"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            with options["out"].open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written: {error.strerror}") from error
        self.stdout.write(f"{options['out']}: entry {proof['index']}")
