"""manage.py import_users FILE."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser

from audit.events import SYSTEM
from secure_auth.acting import Refused
from secure_auth.management.operator import OperatorCommand
from secure_auth.management.verifying import progress_bar
from secure_auth.transfer.database import identify_database, read_database
from secure_auth.transfer.lines import digest_file, open_file
from secure_auth.transfer.loading import Counts, Fault, Order, Told, find_position, import_users
from secure_auth.transfer.rows import READERS

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "auth_user"}
SHOWN_FAULTS = 20
BY_TIME = (
    "{count} of them have old hashes. Until its first login such an account can be told by time from one that has "
    "signed in here; addresses without an account are answered in either time, in the same shares."
)
UNWRAPPED = (
    " --wrap puts Argon2id over them: a stolen copy is no easier to guess, and none answers sooner than ours."
)


class Command(OperatorCommand):
    """Take accounts over from another system."""

    begins = True
    help = (
        "Import accounts with their password hashes, TOTP secrets and roles: from CSV or JSON lines, from Django's "
        "'dumpdata auth.user', or from a Django project's database. Hashes are verified as they are and replaced at "
        "the first login. An address that has an account is skipped. A run that was interrupted goes on where it "
        "stopped when it is run again with the same file. docs/moving.md tells the fields."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE or --database, --format, --dry-run, --wrap, --batch, --errors."""
        parser.add_argument("file", nargs="?", type=Path, help="a file in UTF-8")
        parser.add_argument(
            "--database", metavar="URL", help="read auth_user there: sqlite:///PATH or postgres://"
        )
        parser.add_argument("--format", choices=sorted(READERS), help="by default by the file's name")
        parser.add_argument("--dry-run", action="store_true", help="check every line, write nothing")
        parser.add_argument(
            "--wrap", action="store_true", help="Argon2id over each old hash now, not at its first login"
        )
        parser.add_argument("--batch", type=int, default=500, metavar="N", help="accounts a transaction")
        parser.add_argument(
            "--errors",
            type=Path,
            metavar="FILE",
            help="where each line that was not taken is told, as JSON lines",
        )

    def act(self, **options: Any) -> None:
        """Import, and say what was and what was not taken."""
        if (options["file"] is None) == (options["database"] is None):
            raise CommandError("name a file, or a database with --database")
        if not 1 <= options["batch"] <= 5000:
            raise CommandError("--batch takes 1 to 5000")
        counts = self._from_database(options) if options["database"] else self._from_file(options)
        self._tell(counts, options)
        if counts.refused:
            raise SystemExit(1)

    def _from_database(self, options: dict[str, Any]) -> Counts:
        order = _order(identify_database(options["database"]), options)
        with self._report(order, options["errors"], 0) as told:
            return import_users(rows=read_database(options["database"]), order=order, told=told)

    def _from_file(self, options: dict[str, Any]) -> Counts:
        path: Path = options["file"]
        form = options["format"] or FORMATS.get(path.suffix.lower())
        if form is None:
            raise CommandError("say --format csv, jsonl or auth_user")
        with open_file(path) as file:
            if options["errors"] and options["errors"].exists() and options["errors"].samefile(path):
                raise CommandError("--errors names the file itself: the report would replace it")
            order = _order(digest_file(file), options)
            with self._report(order, options["errors"], path.stat().st_size) as told:
                return import_users(rows=READERS[form](file), order=order, told=told)

    @contextlib.contextmanager
    def _report(self, order: Order, path: Path | None, size: int) -> Iterator[Told]:
        """Tell each fault to the file or the first ones here, and move the bar."""
        position = find_position(order.import_id)
        if position and not order.dry_run:
            self.stdout.write(f"goes on after line {position}")
        shown = 0
        with _errors_file(path, position) as file, progress_bar("reading") as advance:

            def told(faults: list[Fault], done: int) -> None:
                nonlocal shown
                for fault in faults:
                    line = _line(fault)
                    if file:
                        file.write(f"{line}\n")
                    elif shown < SHOWN_FAULTS:
                        self.stderr.write(line)
                    shown += 1
                if file:
                    file.flush()
                advance(done, size or None)  # type: ignore[arg-type]

            yield told
        if not file and shown > SHOWN_FAULTS:
            self.stderr.write(f"… and {shown - SHOWN_FAULTS} more: --errors FILE keeps them all")

    def _tell(self, counts: Counts, options: dict[str, Any]) -> None:
        verb = "would be imported" if options["dry_run"] else "imported"
        skipped = "skipped (the address has an account, or stood before)"
        self.stdout.write(f"{counts.imported} {verb}, {counts.refused} refused, {counts.skipped} {skipped}")
        if counts.foreign:
            hint = "" if options["wrap"] else UNWRAPPED
            self.stdout.write(BY_TIME.format(count=counts.foreign) + hint)


def _order(import_id: str, options: dict[str, Any]) -> Order:
    return Order(import_id, options["batch"], options["wrap"], options["dry_run"], SYSTEM)


def _line(fault: Fault) -> str:
    kind = "refused" if fault.is_error else "skipped"
    return json.dumps({"line": fault.number, "field": fault.field, "code": fault.code, "result": kind})


@contextlib.contextmanager
def _errors_file(path: Path | None, position: int) -> Iterator[IO[str] | None]:
    """The report, anew, or behind what an earlier run told of lines that are done with: that is never taken away.

    Raises:
        Refused: it cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        kept = _kept_bytes(path, position) if position and path.exists() else 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if kept else os.O_TRUNC)
        descriptor = os.open(path, flags, 0o600)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{path}: the report cannot be written there ({type(error).__name__})") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if kept:
            file.seek(kept)
            file.truncate()
        yield file


def _kept_bytes(path: Path, position: int) -> int:
    """How much of a report is of lines up to there; what follows may be torn."""
    kept = 0
    with path.open("rb") as report:
        for line in report:
            if not line.endswith(b"\n") or json.loads(line)["line"] > position:
                break
            kept += len(line)
    return kept
