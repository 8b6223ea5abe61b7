"""A log in PostgreSQL: REPEATABLE READ, READ ONLY; other processes may join the snapshot."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from audit.verify.database import Database, by_key
from audit.verify.faults import Bad, printable
from audit.verify.leaves import POSTGRES, Columns
from audit.verify.store import Entry

SETTINGS: Final = (
    "-c TimeZone=UTC -c DateStyle=ISO -c jit=off -c max_parallel_workers_per_gather=0 -c work_mem=64MB"
    " -c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0"
)
UNREADABLE: Final = (psycopg.DataError, psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted)
WIDE: Final = 4  # how many times more rows than wanted a span of ids may hold before each id is looked up
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


class Postgres(Database):
    """One transaction; `snapshot` joins that of another process."""

    spelling = POSTGRES

    def __init__(self, parameters: Mapping[str, Any], snapshot: str = "") -> None:
        self._connection = psycopg.connect(**{**parameters, "options": SETTINGS})
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True
        if snapshot:
            self._connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))

    def export_snapshot(self) -> str:
        """The name by which other processes join, as long as this one keeps its transaction."""
        ((name,),) = self.rows("SELECT pg_export_snapshot()")
        return str(name)

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement that gives few."""
        with _odd_values_are_bad():
            return self._connection.execute(statement.encode(), values, binary=True).fetchall()

    def stream(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement that may give many, by a cursor in the server."""
        with _odd_values_are_bad(), self._connection.cursor("stream") as cursor:
            yield from cursor.execute(statement.encode(), values)

    def text_rows(self, statement: str, *values: Any) -> Iterator[list[Any]]:
        """Rows in COPY's text format, undone: a NULL is None."""
        with (
            _odd_values_are_bad(),
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY ({statement}) TO STDOUT".encode(), values) as copy,
        ):
            for line in copy:
                text = str(line, "utf-8")
                if "\\" in text:
                    yield [_unescape(field) for field in text[:-1].split("\t")]
                else:
                    yield text[:-1].split("\t")

    def _by_key(self, table: str, key: str, columns: str, entries: Sequence[Entry]) -> dict[str, Columns]:
        """Ids follow the order of entries nearly always: a span of the key then holds just them."""
        if not entries:
            return {}
        ids = [event for _, event, _ in entries]
        span = (min(ids), max(ids))
        limit = WIDE * len(ids) + 1
        where = f"FROM {table} WHERE {key} BETWEEN %s AND %s"
        count = f"SELECT count(*) FROM (SELECT 1 {where} LIMIT {limit}) AS t"  # noqa: S608 constants
        ((held,),) = self.rows(count, *span)
        if held < limit:
            found = self.text_rows(f"SELECT {columns} {where}", *span)
        else:
            found = self.text_rows(f"SELECT {columns} FROM {table} WHERE {key} = ANY(%s)", ids)  # noqa: S608
        return by_key(table, found)


@contextlib.contextmanager
def _odd_values_are_bad() -> Iterator[None]:
    """What the server or the driver cannot read was not written by the service."""
    try:
        yield
    except UNREADABLE as error:
        raise Bad(f"a value cannot be read ({printable(str(error))}): it was altered") from error


def _unescape(field: str) -> str | None:
    """One field of COPY's text format."""
    if "\\" not in field:
        return field
    return None if field == "\\N" else _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), field)
