"""The only writer of the log: an event is committed with what it reports, or neither is.

Appending takes no lock that another appender waits for: no chain, no counter. On PostgreSQL the events of one
call and their personal data are one statement. The integrator (`audit.integrate`) gives them their places in the tree.
After the commit each event goes to standard output as one JSON line; the database is the truth, the line a copy.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import psycopg
import structlog
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from audit import tallies
from audit.details import Collapsed, Id
from audit.events import EventType, Outcome, Severity, Source
from audit.records import NewEvent, Record, prepare
from audit.validation import UnknownDetail

__all__ = ("NewEvent", "append", "append_collapsed", "append_with", "close_tallies")

log = structlog.get_logger("audit")

EVENT_COLUMNS: Final = (
    "id", "time", "type", "outcome", "reason", "severity", "session", "request_id", "details", "commitments",
)  # fmt: skip
PERSONAL_COLUMNS: Final = (
    "event", '"user"', "subject", "ip", "user_agent", "foreign_request_id", "text", "salts",
)  # fmt: skip
MAX_JSON_LENGTH: Final = (
    64_000  # with the other columns below what a leaf may have (audit.leaf), all of it ASCII
)
PREPARED_RECORDS: Final = (
    8  # of one call: more are rare, and of too many sizes to prepare a statement for each
)
CASTS: Final = {
    "time": "timestamptz",
    **dict.fromkeys(("details", "commitments", "text", "salts"), "jsonb"),
}
Change = tuple[str, Sequence[Any]]  # a statement and its values
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def append(*events: NewEvent, change: Change | None = None) -> tuple[str, ...]:
    """Insert events in the caller's transaction and return their ids, in order.

    `change` is an INSERT, UPDATE or DELETE that belongs to them: on PostgreSQL they are one statement.

    Raises:
        TransactionManagementError: outside `transaction.atomic`: an event must commit with what it reports.
        UnknownDetail: the vocabulary does not know what an event says.
        ValueError: there is a change, and no event of it.
    """
    _require_transaction()
    if change and not events:
        raise ValueError("a change without an event")
    return _insert([prepare(event) for event in events], change)


def append_with(change: str, values: Sequence[Any], event: NewEvent) -> Sequence[Any] | None:
    """Make a change, and insert the event that reports it exactly when it took place: the row it answers, or None.

    `change` is one UPDATE, INSERT or DELETE of at most one row that ends in RETURNING. On PostgreSQL it and the event
    are one statement, so that neither can be committed without the other; elsewhere a transaction holds them.

    Raises:
        UnknownDetail: the vocabulary does not know what an event says.
    """
    record = prepare(event)
    if connection.vendor == "postgresql":
        row = _change_and_insert(change, values, record)
        if row is not None:
            _print_on_commit([record])
        return row
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change, values)
        found: Sequence[Any] | None = cursor.fetchone()
        if found is not None:
            _insert([record])
        return found


def append_collapsed(
    event: NewEvent, *, key: str = "", window_seconds: int = 60, times: int = 1, by_source: bool = True
) -> bool:
    """Insert the first of a flood in full and count the ones that follow; True when it was written in full.

    A flood is what shares type, reason, `key` and, `by_source`, the IPv4 address or IPv6 /64; its window lasts
    `window_seconds` from its first event. `close_tallies` writes the count. Call it last in a transaction:
    the first of a window makes others of the same flood wait until it is committed, since only then are they
    not the first. `times` is how often it happened.

    Raises:
        as `append`.
    """
    _require_transaction()
    record = prepare(event)
    bucket = tallies.bucket_of(record, key, by_source=by_source)
    is_first = tallies.opens_window(record, bucket=bucket, window_seconds=window_seconds)
    if is_first:
        _insert([record])
    if times > 1:
        tallies.count_more(bucket, times=times - 1)
    return is_first


def close_tallies(limit: int = 500) -> int:
    """Write one log.collapsed event for each window that ended with a count; return how many. For the worker.

    Any number of processes may call it: a window is reported once, in the transaction that removes its tally.
    """
    with transaction.atomic():
        closed = [window for window in tallies.take_ended(limit) if window.count]
        append(*(_collapsed(window) for window in closed))
    return len(closed)


def _collapsed(window: tallies.Window) -> NewEvent:
    about = window.about
    return NewEvent(
        type=EventType.LOG_COLLAPSED,
        outcome=Outcome(about["outcome"]),
        severity=Severity(about["severity"]),
        source=Source(ip=about["ip"]),
        user=window.user,
        session=window.session,
        details=Collapsed(
            type=EventType(about["type"]),
            reason=about["reason"] or None,
            first_event=Id(window.first_event),
            count=window.count,
            window_seconds=about["window_seconds"],
        ),
    )


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "an event is appended in the transaction of what it reports"
        )


def _insert(records: Sequence[Record], change: Change | None = None) -> tuple[str, ...]:
    if not records:
        return ()
    personal = [record for record in records if record.salts]
    first, first_values = change or ("", ())
    if connection.vendor == "postgresql":
        values = [*first_values, *(value for record in records for value in _event_values(record))]
        values += [record.id for record in records]
        values += [value for record in personal for value in _personal_values(record)]
        with _prepared_cursor() if len(records) <= PREPARED_RECORDS else connection.cursor() as cursor:
            cursor.execute(_statement(len(records), len(personal), first), values)
    else:
        with connection.cursor() as cursor:
            if first:
                cursor.execute(first, first_values)
            event = [_event_values(record) for record in records]
            cursor.executemany(_insert_sql("audit_event", EVENT_COLUMNS, 1), event)
            pending = [(record.id,) for record in records]
            cursor.executemany(_insert_sql("audit_pending", ("event",), 1), pending)
            own = [_personal_values(record) for record in personal]
            cursor.executemany(_insert_sql("audit_personaldata", PERSONAL_COLUMNS, 1), own)
    _print_on_commit(records)
    return tuple(record.id for record in records)


def _change_and_insert(change: str, values: Sequence[Any], record: Record) -> Sequence[Any] | None:
    everything = [*values, *_event_values(record), record.id, *_personal_values(record)]
    with _prepared_cursor() as cursor:
        cursor.execute(_joined(change), everything)
        found: Sequence[Any] | None = cursor.fetchone()
        return found


def _prepared_cursor() -> CursorWrapper:
    """PostgreSQL: statements are prepared once a connection; Django's own cursor has each parsed and planned anew."""
    connection.ensure_connection()
    make = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return make(psycopg.Cursor(connection.connection))  # type: ignore[arg-type]


def _to_json(values: dict[str, Any]) -> str:
    return _encode(values) if values else "{}"  # of most events two of four


def _event_values(record: Record) -> tuple[Any, ...]:
    details, commitments = _to_json(record.details), _to_json(record.commitments)
    if len(details) + len(commitments) > MAX_JSON_LENGTH:
        raise UnknownDetail(f"details of {record.type}: longer than an entry can be")
    return (
        record.id,
        connection.ops.adapt_datetimefield_value(record.time),
        record.type,
        record.outcome,
        record.reason,
        record.severity,
        record.session,
        record.request_id,
        details,
        commitments,
    )


def _personal_values(record: Record) -> tuple[Any, ...]:
    return (
        record.id,
        record.user,
        record.subject,
        record.ip,
        record.user_agent,
        record.foreign_request_id,
        _to_json(record.text),
        _to_json(record.salts),
    )


@cache
def _insert_sql(table: str, columns: tuple[str, ...], rows: int) -> str:
    row = "(" + ", ".join(["%s"] * len(columns)) + ")"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}"  # noqa: S608 constants


@cache
def _statement(events: int, personal: int, change: str) -> str:
    """PostgreSQL: a change if any, the events, their places in the integrator's queue and their personal data in one
    statement.
    """
    changed = f"changed AS ({change}), " if change else ""
    insert = _insert_sql("audit_event", EVENT_COLUMNS, events)
    queue = _insert_sql("audit_pending", ("event",), events)
    if not personal:
        return f"WITH {changed}event AS ({insert}) {queue}"
    own = _insert_sql("audit_personaldata", PERSONAL_COLUMNS, personal)
    return f"WITH {changed}event AS ({insert}), pending AS ({queue}) {own}"


@cache
def _joined(change: str) -> str:
    """PostgreSQL: a change, and one event with all that belongs to it where the change answers a row."""
    inserts = (
        ("audit_event", EVENT_COLUMNS),
        ("audit_pending", ("event",)),
        ("audit_personaldata", PERSONAL_COLUMNS),
    )
    parts = [f"{table} AS ({_insert_where_changed(table, columns)})" for table, columns in inserts]
    return f"WITH changed AS ({change}), {', '.join(parts)} SELECT * FROM changed"  # noqa: S608 constants


def _insert_where_changed(table: str, columns: tuple[str, ...]) -> str:
    places = ", ".join(f"%s::{CASTS.get(column, 'text')}" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {places} FROM changed"  # noqa: S608 constants


def _print_on_commit(records: Sequence[Record]) -> None:
    def print_lines() -> None:
        for record in records:
            log.info("audit", **record.as_dict())

    # robust: a full or closed standard output must not fail a request whose work is committed
    transaction.on_commit(print_lines, robust=True)
