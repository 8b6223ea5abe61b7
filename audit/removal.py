"""What may leave the log: bodies below the retention cut-off, and the personal data of named events.

Entries, hashes and proofs stay for ever. Nothing here asks whether it may: the caller first writes the event that
covers a removal and sees to it that it is integrated, since without it the log is bad (`audit.verify`).
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from audit.events import EventType, Outcome
from audit.filters import id_prefix
from audit.queries import LOG_SHIFT

BATCH: Final = 1_000
WAL_ATTEMPTS, WAL_WAIT_MS, WAL_PAUSE_SECONDS = 10, 100, 0.2
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The first entry of a log tells what it continues. What covers a removal stays too: an event that it names may be
# younger than itself, by another node's clock, and keep its body for longer.
_STAYS: Final = f"""
 (e.type = '{EventType.LOG_START}'
  OR e.type IN ('{EventType.AUDIT_ERASE}', '{EventType.AUDIT_PRUNE}') AND e.outcome = '{Outcome.SUCCESS}')"""
_BELOW: Final = f"""
  FROM audit_event e JOIN audit_entry n ON n.event = e.id
 WHERE e.id > %s AND e.id < %s AND NOT {_STAYS}"""
# Not a comparison of rows: PostgreSQL expects none below the first log, and would read every entry for each batch.
NEXT_BODIES: Final = f"""
SELECT e.id {_BELOW} AND n.log * {LOG_SHIFT} + n."index" < %s ORDER BY e.id LIMIT %s"""


@dataclass(frozen=True, slots=True)
class Promise:
    """An `audit.prune` event: it covers what is older than `before_ms` (Unix time), up to a place in the tree."""

    event: str
    before_ms: int
    log: int
    entries: int


@dataclass(frozen=True, slots=True)
class Bodies:
    """How many bodies there are, and that they are all among the first `entries` of log `log` or in one before it."""

    events: int
    log: int
    entries: int


def find_bodies(before_ms: int) -> Bodies:
    """The bodies of integrated events before this moment."""
    last = f'max(n.log * {LOG_SHIFT} + n."index" + 1)'
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), {last} {_BELOW}", ["", id_prefix(before_ms)])
        events, position = cursor.fetchone()
    return Bodies(int(events), *divmod(int(position or 0), LOG_SHIFT))


def last_promise(upto_ms: int) -> Promise | None:
    """Of the prunings that the log tells of, of events before this moment or an earlier one, the furthest.

    The newest event is not always its: a clock that was ahead gave one before it a later id.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, details FROM audit_event WHERE type = %s AND outcome = %s ORDER BY id",
            [EventType.AUDIT_PRUNE, Outcome.SUCCESS],
        )
        told = [(event, json.loads(text)) for event, text in cursor]
    made = [Promise(event, it["before_ms"], it["log"], it["entries"]) for event, it in told]
    return max(
        (one for one in made if one.before_ms <= upto_ms),
        key=lambda one: (one.before_ms, one.log, one.entries),
        default=None,
    )


def cutoff_ms() -> int:
    """The highest cut-off in Unix milliseconds; 0 where nothing was pruned yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(cutoff) FROM audit_retention")
        (moment,) = cursor.fetchone()
    if moment is None:
        return 0
    read = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    return ((read if read.tzinfo else read.replace(tzinfo=UTC)) - EPOCH) // timedelta(milliseconds=1)


def may_drop_bodies() -> bool:
    """Whether this role may delete events at all; which ones, the triggers say."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('audit_event', 'DELETE')")
        return bool(cursor.fetchone()[0])


def move_cutoff(before_ms: int) -> None:
    """Let events before this moment be deleted, for ever."""
    adapt = connection.ops.adapt_datetimefield_value
    cutoff = EPOCH + timedelta(milliseconds=before_ms)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_retention (cutoff, time) VALUES (%s, %s)",
            [adapt(cutoff), adapt(datetime.now(UTC))],
        )


def drop_bodies(promise: Promise) -> int:
    """Delete the events that a promise covers and their personal data, batch by batch; how many."""
    dropped, after = 0, ""
    while ids := _bodies(after, promise):
        with transaction.atomic():
            _delete("audit_personaldata", "event", ids)
            _delete("audit_event", "id", ids)
        dropped, after = dropped + len(ids), ids[-1]
    if dropped:
        empty_wal()
    return dropped


def _bodies(after: str, promise: Promise) -> list[str]:
    place = promise.log * LOG_SHIFT + promise.entries
    values: list[int | str] = [after, id_prefix(promise.before_ms), place, BATCH]
    with connection.cursor() as cursor:
        cursor.execute(NEXT_BODIES, values)
        return [row[0] for row in cursor.fetchall()]


def personal_data_of(user: str, subjects: Sequence[str], limit: int) -> list[str]:
    """Events with personal data of an account, or of the identifiers that were typed for it."""
    marks = ", ".join(["%s"] * len(subjects))
    sql = f"""SELECT event FROM audit_personaldata WHERE "user" = %s AND NOT ("user" = '')
               UNION SELECT event FROM audit_personaldata WHERE subject IN ({marks}) AND NOT (subject = '')
               ORDER BY event LIMIT %s"""  # noqa: S608 marks
    with connection.cursor() as cursor:
        cursor.execute(sql, [user, *subjects, limit])
        return [row[0] for row in cursor.fetchall()]


def drop_personal_data(events: Sequence[str]) -> None:
    """Delete values and salts: what the commitments committed to is gone for good."""
    with transaction.atomic():
        for start in range(0, len(events), BATCH):
            _delete("audit_personaldata", "event", events[start : start + BATCH])


def forget_in_tallies(user: str) -> None:
    """Let windows that are still counted be reported without this account, its session and its address."""
    blank = (
        "jsonb_set(about, '{ip}', '\"\"')"
        if connection.vendor == "postgresql"
        else "json_set(about, '$.ip', '')"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE audit_tally SET "user" = '', session = '', about = {blank}
                 WHERE "user" = %s AND NOT ("user" = '')""",  # noqa: S608 constant
            [user],
        )


def empty_wal() -> None:
    """Let SQLite's write-ahead log hold nothing of what was removed. On PostgreSQL that is left to the server.

    Who reads is waited for a few times, and never for long, since nobody writes meanwhile; then it is left as it is.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (patience_ms,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {WAL_WAIT_MS}")
        try:
            for _ in range(WAL_ATTEMPTS):
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                (is_busy, _, _) = cursor.fetchone()
                if not is_busy:
                    return
                time.sleep(WAL_PAUSE_SECONDS)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")


def _delete(table: str, column: str, values: Sequence[str]) -> None:
    given: list[Any] = [list(values)] if connection.vendor == "postgresql" else list(values)
    which = "= ANY(%s)" if connection.vendor == "postgresql" else f"IN ({', '.join(['%s'] * len(values))})"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE {column} {which}", given)  # noqa: S608 constants
