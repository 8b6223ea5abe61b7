"""Whether a file of SQLite takes writing. Reads tell nothing of a disk that is full, or a file that is gone or closed.

Asked is by writing, on a connection of its own: one that stands still has a file open that was removed since.
"""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

TOLD_FOR_SECONDS = 1.0  # so that who asks again and again writes no more often
# Pages are written whatever they hold, and nothing is left.
_WRITE = """
BEGIN IMMEDIATE;
INSERT INTO secure_auth_lease (name, holder, expires_at) VALUES ('readyz', '', '');
DELETE FROM secure_auth_lease WHERE name = 'readyz';
COMMIT;"""
_told: dict[str, tuple[float, bool]] = {}
_known: dict[str, tuple[int, int]] = {}  # which file this process first opened by a name
os.register_at_fork(after_in_child=_known.clear)


def takes_writing(name: str) -> bool:
    """Whether the file of this name did so within TOLD_FOR_SECONDS. One that somebody writes to at this moment does."""
    told_at, told = _told.get(name, (-TOLD_FOR_SECONDS, False))
    if time.monotonic() - told_at >= TOLD_FOR_SECONDS:
        told = _write(name)
        _told[name] = time.monotonic(), told
    return told


def note(name: str) -> None:
    """Called when a connection was made."""
    with contextlib.suppress(OSError):
        _known.setdefault(name, _identity(name))


def _identity(name: str) -> tuple[int, int]:
    found = Path(name).stat()
    return found.st_dev, found.st_ino


def _write(name: str) -> bool:
    try:
        if _identity(name) != _known.get(name, _identity(name)):
            return False  # others took its place: what is written goes where nobody will find it
        uri = f"{Path(name).absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous=NORMAL")  # nothing here is worth a wait for the disk
            database.executescript(_WRITE)
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    except (sqlite3.Error, OSError):
        return False
    return True
