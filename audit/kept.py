"""The newest checkpoint kept outside the database: a file that only moves forward.

A database that was cut short or restored from an old backup contradicts it. The file is replaced as a whole, under a
lock that all processes of its directory share, so that a late writer never puts an older checkpoint over a newer one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from audit.notes import Checkpoint, read_checkpoint
from audit.owned import open_owned, replace_owned


def read_kept(path: Path) -> Checkpoint | None:
    """What is kept; None where nothing is.

    Raises:
        ValueError: the file is no checkpoint.
        OSError: it cannot be read.
    """
    try:
        return read_checkpoint(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def kept_files(path: Path) -> list[Path]:
    """The file of the newest checkpoint, and those of other logs that keep() set aside."""
    aside = [
        found for found in sorted(path.parent.glob(f"{path.name}.[0-9]*")) if found.suffix[1:].isdecimal()
    ]
    return [path, *aside] if path.exists() else aside


def keep(path: Path, note: str) -> bool:
    """Keep a checkpoint unless a larger one of the same log is there; whether it is kept now.

    One of another log is set aside as `<name>.<its size>`, or `<name>.<its size>.2` and so on where that is taken, so
    that it can still be shown to `verify_log`.

    Raises:
        ValueError: the file holds no checkpoint.
        OSError: it cannot be written.
    """
    new = read_checkpoint(note)
    with _alone(path):
        old = read_kept(path)
        if old and old.origin == new.origin and old.size >= new.size:
            return old.size == new.size
        if old and old.origin != new.origin:
            path.rename(_free_name(path, old.size))
        replace_owned(path, note)
    return True


def _free_name(path: Path, size: int) -> Path:
    """Two logs may end at one size: neither's last word is lost."""
    names = (f"{path.name}.{size}{f'.{number}' if number > 1 else ''}" for number in count(1))
    return next(found for found in map(path.with_name, names) if not found.exists())


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    descriptor = open_owned(path.with_name(f"{path.name}.lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
