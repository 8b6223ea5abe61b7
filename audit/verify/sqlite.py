"""A log in SQLite: one read transaction on a connection that cannot write. In WAL mode writers go on meanwhile."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from audit.verify.database import Database, by_key
from audit.verify.faults import Bad, printable
from audit.verify.leaves import SQLITE, Columns
from audit.verify.store import Entry


class Sqlite(Database):
    """One read transaction."""

    spelling = SQLITE

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30, isolation_level=None
        )
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM audit_log").fetchall()  # the snapshot is taken here

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement that gives few."""
        return list(self.stream(statement, *values))

    def stream(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement that may give many."""
        try:
            yield from self._connection.execute(statement.replace("%s", "?"), values)
        except sqlite3.OperationalError as error:
            if "decode" in str(error):
                raise Bad(f"a text is no UTF-8 ({printable(str(error))}): it was altered") from error
            raise
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:  # extended codes too
                raise Bad(f"a value cannot be read ({error}): the file was altered or is broken") from error
            raise

    def text_rows(self, statement: str, *values: Any) -> Iterator[list[Any]]:
        """Rows as they are stored."""
        for row in self.stream(statement, *values):
            yield list(row)

    def _by_key(self, table: str, key: str, columns: str, entries: Sequence[Entry]) -> dict[str, Columns]:
        ids = json.dumps([event for _, event, _ in entries])
        wanted = f"SELECT {columns} FROM {table} WHERE {key} IN (SELECT value FROM json_each(%s))"  # noqa: S608
        return by_key(table, self.text_rows(wanted, ids))
