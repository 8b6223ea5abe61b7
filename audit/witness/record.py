"""What a witness has seen: of each log the newest checkpoint it cosigned, and what contradicts it.

One SQLite file. Reading the newest checkpoint, judging the next and storing it are one transaction that excludes every
other, and it is on the disk before anybody hears of it: no order of requests, processes or crashes takes a step back.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit.verify.notes import Checkpoint
from audit.verify.tree import EMPTY_ROOT

WAIT_SECONDS: Final = 10.0
KEPT_CONFLICTS: Final = 16  # of each log: one is enough to convict it
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS latest (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, cosignature TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS conflict (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, cosigned TEXT NOT NULL,
    PRIMARY KEY (origin, size, root)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest checkpoint of a log that was cosigned, and the cosignature's line; of a new log the empty tree."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    cosignature: str = ""
    time: int = 0


class Record:
    """The file and what is asked of it. Any number of processes and threads may use one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as database:
            (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(" ".join(found.split()))
            database.executescript(_TABLES)

    @contextlib.contextmanager
    def alone(self) -> Iterator["Turn"]:
        """A transaction that no other runs beside; committed and on the disk when the block ends without an error."""
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield Turn(database)
            except BaseException:
                if database.in_transaction:  # a disk that is full ended it already
                    database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def latest(self, origin: str) -> Latest:
        """The newest checkpoint of a log."""
        with self._open() as database:
            return Turn(database).latest(origin)

    def conflicts(self, origin: str) -> list[tuple[str, str]]:
        """Pairs of checkpoints that the log signed and of which at most one can be true."""
        with self._open() as database:
            sql = "SELECT cosigned, note FROM conflict WHERE origin = ? ORDER BY size, root"
            return database.execute(sql, [origin]).fetchall()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=WAIT_SECONDS, isolation_level=None)
        try:
            # the rollback journal, and its removal, are on the disk before a COMMIT returns
            database.execute("PRAGMA synchronous=EXTRA")
            yield database
        finally:
            database.close()


class Turn:
    """What one transaction reads and writes."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def latest(self, origin: str) -> Latest:
        """The newest checkpoint of a log."""
        sql = "SELECT size, root, note, cosignature, time FROM latest WHERE origin = ?"
        row = self._database.execute(sql, [origin]).fetchone()
        return Latest(*row) if row else Latest()

    def keep(self, checkpoint: Checkpoint, note: str, cosignature: str, time: int) -> None:
        """Make this the newest one."""
        self._database.execute(
            "INSERT OR REPLACE INTO latest (origin, size, root, note, cosignature, time) VALUES (?, ?, ?, ?, ?, ?)",
            [checkpoint.origin, checkpoint.size, checkpoint.root, note, cosignature, time],
        )

    def keep_conflict(self, checkpoint: Checkpoint, note: str, latest: Latest) -> None:
        """Keep a checkpoint that its log signed beside the one of this size that was cosigned."""
        values = [checkpoint.origin, checkpoint.size, checkpoint.root, note, latest.note + latest.cosignature]
        self._database.execute(
            "INSERT OR IGNORE INTO conflict (origin, size, root, note, cosigned) SELECT ?, ?, ?, ?, ?"
            " WHERE (SELECT count(*) FROM conflict WHERE origin = ?) < ?",
            [*values, checkpoint.origin, KEPT_CONFLICTS],
        )
