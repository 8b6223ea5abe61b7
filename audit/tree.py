"""The stored tree: heads, hashes and proofs, read from the database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection

from audit import merkle
from audit.merkle import Reader

CURRENT: Final = "ended_at IS NULL"


@dataclass(frozen=True, slots=True)
class Head:
    """A log's head: how many entries it has, and their root."""

    log: int
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands."""

    log: int
    index: int
    leaf_hash: bytes


def current_head() -> Head | None:
    """The head of the current log; None before the first log has started."""
    return _head(f"{CURRENT} ORDER BY id DESC LIMIT 1", [])


def hold_current_head() -> Head | None:
    """The head of the current log, which nobody moves until this transaction ends."""
    lock = "FOR UPDATE" if connection.features.has_select_for_update else ""
    return _head(f"{CURRENT} ORDER BY id DESC LIMIT 1 {lock}", [])


def head_of(log: int) -> Head | None:
    """The head of a log."""
    return _head("id = %s", [log])


def head_of_origin(origin: str) -> Head | None:
    """The head of the log of this name."""
    return _head("origin = %s", [origin])


def _head(where: str, values: Sequence[int | str]) -> Head | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, origin, size, root FROM audit_log WHERE {where}", values)  # noqa: S608 constants
        row = cursor.fetchone()
    return Head(row[0], row[1], row[2], bytes(row[3])) if row else None


def place_of(event_id: str) -> Place | None:
    """The entry of an event; None while it is pending."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT log, "index", leaf_hash FROM audit_entry WHERE event = %s', [event_id])
        row = cursor.fetchone()
    return Place(row[0], row[1], bytes(row[2])) if row else None


def leaf_hash_at(log: int, index: int) -> bytes:
    """The leaf hash of an entry; empty where there is none."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT leaf_hash FROM audit_entry WHERE log = %s AND "index" = %s', [log, index])
        row = cursor.fetchone()
    return bytes(row[0]) if row else b""


def reader(log: int) -> Reader:
    """The hashes of a log, by level.

    Raises:
        Torn: hashes are missing that the log's size promises.
    """

    def read(level: int, first: int, count: int) -> Sequence[bytes]:
        hashes = read_hashes(log, level, first, count)
        if len(hashes) != count:
            raise Torn(f"log {log}: hashes of level {level} from {first} on are missing")
        return hashes

    return read


class Torn(Exception):
    """The stored tree is not the one that its head speaks of."""


def read_hashes(log: int, level: int, first: int, count: int) -> list[bytes]:
    """Up to `count` hashes of a level, in order, without a gap."""
    table, column, which = (
        ("audit_entry", "leaf_hash", "") if not level else ("audit_node", "hash", "level = %s AND")
    )
    sql = f"""SELECT "index", {column} FROM {table}
               WHERE log = %s AND {which} "index" >= %s AND "index" < %s ORDER BY "index\""""  # noqa: S608 constants
    levels = [level] if level else []
    with connection.cursor() as cursor:
        cursor.execute(sql, [log, *levels, first, first + count])
        rows = cursor.fetchall()
    return [bytes(found) for at, (index, found) in enumerate(rows, first) if at == index]


def pending() -> tuple[int, float]:
    """How many events have no entry yet, and for how many seconds the oldest has waited."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), min(event) FROM audit_pending")
        count, oldest = cursor.fetchone()
    return int(count), max(time.time() - id_seconds(oldest), 0.0) if oldest else 0.0


def id_seconds(event_id: str) -> float:
    """The Unix time inside a UUIDv7 (RFC 9562 section 5.7)."""
    return int(event_id[:8] + event_id[9:13], 16) / 1000


def inclusion_proof(log: int, index: int, size: int) -> list[bytes]:
    """As audit.merkle, from the database: O(log size) reads."""
    return merkle.inclusion_proof(index, size, reader(log))


def consistency_proof(log: int, first: int, second: int) -> list[bytes]:
    """As audit.merkle, from the database."""
    return merkle.consistency_proof(first, second, reader(log))
