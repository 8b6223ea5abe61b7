"""manage.py export_users."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from audit.events import SYSTEM
from secure_auth.acting import Refused
from secure_auth.management.line import tidied_when_stopped
from secure_auth.management.operator import OperatorCommand
from secure_auth.transfer.unloading import Wish, export_users

WARNING = "This export holds {what}: whoever reads it can {can}. Keep it encrypted, and delete it when it has moved."


class Command(OperatorCommand):
    """Let accounts move away."""

    help = (
        "Write all accounts as JSON lines or CSV that import_users reads again. Password hashes and TOTP secrets are "
        "in it only when they are asked for. The file is readable by its owner alone and appears when it is whole. "
        "The export is an event."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--out, --format, --with-hashes, --with-totp."""
        parser.add_argument(
            "--out", type=Path, metavar="FILE", help="one that is not there yet; else standard output"
        )
        parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
        parser.add_argument("--with-hashes", action="store_true", help="password hashes too")
        parser.add_argument("--with-totp", action="store_true", help="TOTP secrets too, in clear")

    def act(self, **options: Any) -> None:
        """Export, and say how much."""
        wish = Wish(options["format"], options["with_hashes"], options["with_totp"], SYSTEM)
        if wish.with_hashes or wish.with_totp:
            self.stderr.write(_warning(wish))
        path: Path | None = options["out"]
        if path is None:
            for line in export_users(wish):
                self.stdout.write(line, ending="")
            return
        with tidied_when_stopped():
            count = _write(path, wish)
        self.stdout.write(f"{path}: {count} accounts")


def _warning(wish: Wish) -> str:
    parts = []
    if wish.with_hashes:
        parts.append(("password hashes", "guess passwords without any limit"))
    if wish.with_totp:
        parts.append(("TOTP secrets", "make every code of these accounts"))
    return WARNING.format(
        what=" and ".join(what for what, _ in parts), can=" and ".join(can for _, can in parts)
    )


def _write(path: Path, wish: Wish) -> int:
    """Write the lines beside the file and name it when it is whole; how many accounts.

    Raises:
        Refused: the file is there already, or cannot be written; or its draft is there, of another export or a killed
            one: taken away from one that still writes, it would name the half of the other.
    """
    if path.exists() or path.is_symlink():
        raise Refused(f"{path} is there already")
    draft = path.with_name(f".{path.name}.part")
    try:
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise Refused(
                f"{draft} is there: of another export, or of a killed one; then remove it"
            ) from error
        with _removed_on_failure(draft), os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            lines = 0
            for line in export_users(wish):
                file.write(line)
                lines += 1
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # never over a file that came meanwhile
        draft.unlink()
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error
    return lines - (wish.format == "csv")


@contextlib.contextmanager
def _removed_on_failure(draft: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
