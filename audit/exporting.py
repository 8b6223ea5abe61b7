"""An export: every event that matches, as bytes, in windows of a few thousand.

Each window is a statement of its own, by key, and the connection is given back before its lines are handed out:
however slowly they are taken, no transaction, snapshot or connection waits for it. Memory holds one window. Order and
cursors are those of reading: newest first, or tree order; what arrives meanwhile is not repeated and hides nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from django.db import connection

from audit.filters import BadFilter, Filters, parse_filters, read_cursor
from audit.following import read_position
from audit.formats import WRITERS, Writer
from audit.proving import Prover
from audit.queries import fetch_placed, fetch_window
from audit.records import Record
from audit.vocabulary import Format

ORDERS: Final = ("time", "index")
WINDOW, EMPTY_WINDOW = 2_000, 8_000
CHUNK: Final = 200  # lines handed out at once
MAX_EVENTS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Export:
    """A question that was understood, and how it is to be answered."""

    question: Filters
    format: Format
    order: str
    start: tuple[str, str]
    limit: int
    with_proofs: bool

    @property
    def writer(self) -> Writer:
        """How the format is written."""
        return WRITERS[self.format]

    def chunks(self) -> Iterator[bytes]:
        """The export, piece by piece. An empty piece says that a window held nothing: whoever sends may stop there."""
        writer, prover = self.writer, Prover() if self.with_proofs else None
        head = writer.head(self.with_proofs)
        if head:
            yield head.encode()
        left = self.limit
        for window in self._windows():
            records = window[:left]
            left -= len(records)
            proofs = prover.prove_all(records) if prover else {}
            _release()
            lines = (writer.line(record, proofs.get(record.id, {}) if prover else None) for record in records)
            while chunk := "".join(islice(lines, CHUNK)):
                yield chunk.encode()
            if not left:
                return
            if not records:
                yield b""

    def _windows(self) -> Iterator[list[Record]]:
        return self._by_time() if self.order == "time" else self._by_index()

    def _by_time(self) -> Iterator[list[Record]]:
        comparison, at = self.start
        size = WINDOW
        while True:
            window = fetch_window(
                self.question, comparison, at, size=size, limit=size, with_salts=self.with_proofs
            )
            yield window.records
            if window.looked_at < size:
                return
            comparison, at = comparison[0], window.edge
            size = WINDOW if window.records else EMPTY_WINDOW

    def _by_index(self) -> Iterator[list[Record]]:
        comparison, at, size = self.start[0], int(self.start[1]), WINDOW
        while True:
            window = fetch_placed(
                self.question, comparison, at, size=size, limit=size, with_salts=self.with_proofs
            )
            yield [one.record for one in window.found]
            if window.looked_at < size:
                return
            at = window.edge
            size = WINDOW if window.found else EMPTY_WINDOW


def parse_export(query: Mapping[str, str]) -> Export:
    """What a query string asks for: `format`, `proof`, `order`, `cursor`, `limit`, and the filters of reading.

    Raises:
        BadFilter: a name that is not known, or a value that it cannot have.
    """
    given = dict(query)
    format_ = given.pop("format", Format.JSONL)
    if format_ not in Format._value2member_map_:
        raise BadFilter("format", "must be one of: " + ", ".join(Format))
    proof = given.pop("proof", "false")
    if proof not in ("true", "false"):
        raise BadFilter("proof", "must be true or false")
    order = given.pop("order", "time")
    if order not in ORDERS:
        raise BadFilter("order", "must be time or index")
    cursor = given.pop("cursor", "")
    limit = given.pop("limit", str(MAX_EVENTS))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 10 and 1 <= int(limit) <= MAX_EVENTS):
        raise BadFilter("limit", f"must be a whole number from 1 to {MAX_EVENTS}")
    return Export(
        parse_filters(given), Format(format_), order, _start(order, cursor), int(limit), proof == "true"
    )


def _start(order: str, cursor: str) -> tuple[str, str]:
    if order == "time":
        return read_cursor(cursor) if cursor else ("<", "~")
    comparison, position = read_position(cursor) if cursor else (">", 0)
    return comparison, str(position)


def _release() -> None:
    """PostgreSQL: give the connection back to its pool until the next window."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()
