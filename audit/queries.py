"""The SQL of reading: a window of ids from the index of one filter, and what in it matches the others.

The same statement runs on SQLite and PostgreSQL. It always gives at least one row, whose first two columns
tell how far the window reached and how many ids it held.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from django.db import connection, transaction

from audit.filters import Filters
from audit.records import Record
from audit.words import CLEAR, EMPTY, OWN, holds

# the most selective first; user and ip stand with the personal data
_SELECTIVE: Final = ("session", "request_id", "user", "ip")
_DRIVERS: Final = (*_SELECTIVE, "type", "severity", "outcome")
LOG_SHIFT: Final = 10**12
_PERSONAL: Final = frozenset({"user", "ip"})
_EVENT_COLUMNS: Final = (*CLEAR, "time", "details", "commitments")
_COLUMNS: Final = ", ".join(
    [*(f"e.{name}" for name in _EVENT_COLUMNS), *(f'p."{name}"' for name in (*OWN, "text", "salts"))]
)
_ERASED: Final = ("", "", "", "", "", EMPTY, EMPTY)
_decode: Final = json.JSONDecoder().raw_decode  # what the databases give begins with a brace
# as shown to people: without what only a proof needs
_SHOWN: Final = _COLUMNS.replace("e.commitments", "'{}'").replace('p."salts"', "'{}'")
_WITHOUT_PERSONAL: Final = ", ".join([*(f"e.{name}" for name in _EVENT_COLUMNS), "NULL"])
WITH_PERSONAL: Final = "LEFT JOIN audit_personaldata p ON p.event = e.id"


@dataclass(frozen=True, slots=True)
class Window:
    """What one statement found: matching events, the last id it looked at, and how many it looked at."""

    records: list[Record]
    edge: str
    looked_at: int


def behind(position: str) -> str:
    """A statement that answers a row when the current log goes on beyond a position, told by an expression."""
    last = f"id * {LOG_SHIFT} + size - 1"
    return f"SELECT 1 FROM audit_log WHERE ended_at IS NULL AND {last} > COALESCE({position}, -1) LIMIT 1"  # noqa: S608 constants


@dataclass(frozen=True, slots=True)
class Placed:
    """An event and its position: LOG_SHIFT times its log, plus its index."""

    position: int
    record: Record


@dataclass(frozen=True, slots=True)
class PlacedWindow:
    """What one statement found: matching events, the last position it looked at, and how many it looked at."""

    found: list[Placed]
    edge: int
    looked_at: int


def fetch_ranges(
    question: Filters, ranges: Sequence[tuple[str, str]], before: str, *, limit: int
) -> list[Record]:
    """The last `limit` matches before an id, newest first.

    Each range is from a first id to before a second; the newest range comes first.
    """
    rest, values = _rest(question, None)
    firsts = [max(first, question.lowest) for first, _ in ranges]
    beyonds = [min(filter(None, (beyond, before, question.beyond))) for _, beyond in ranges]
    # Each range by itself, and no join beyond it: of one over all PostgreSQL expects so many rows that it would read
    # the whole table. For the same reason it would compile what is over sooner than that.
    within = "(SELECT * FROM {0} WHERE {1} >= range.first AND {1} < range.beyond OFFSET 0)"
    events, people = within.format("audit_event", "id"), within.format("audit_personaldata", "event")
    source = f"""unnest(%s::text[], %s::text[]) WITH ORDINALITY AS range (first, beyond, place) CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM {events} AS e LEFT JOIN {people} AS p ON p.event = e.id
         WHERE {rest} ORDER BY e.id DESC LIMIT %s
        ) AS found ORDER BY range.place, found.id DESC LIMIT %s"""  # noqa: S608 constants
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        return _fetch(source, [firsts, beyonds, *values, limit, limit], "found.*")


def is_driven(question: Filters) -> bool:
    """Whether a filter drives the search that selects few events."""
    return any(name in question.equal for name in _SELECTIVE)


def fetch_event(event_id: str) -> Record | None:
    """One event by id."""
    return next(iter(fetch_events([event_id])), None)


def fetch_events(ids: Sequence[str]) -> list[Record]:
    """These events, in the order of their ids; those that are gone are left out."""
    marks = ", ".join(["%s"] * len(ids))
    return _fetch(f"audit_event e {WITH_PERSONAL} WHERE e.id IN ({marks}) ORDER BY e.id", ids)


def fetch_pending(limit: int) -> list[Record]:
    """Events that wait for an entry, in the order of their ids, without their personal data."""
    queue = "(SELECT event FROM audit_pending ORDER BY event LIMIT %s) AS queue"
    source = f"{queue} {_join()} audit_event e ON e.id = queue.event ORDER BY e.id"
    return _fetch(source, [limit], _WITHOUT_PERSONAL)


def _join() -> str:
    """SQLite: keep this order of the two loops. It would read all events of a type for a few of them."""
    return "CROSS JOIN" if connection.vendor == "sqlite" else "JOIN"


def fetch_entries(log: int, first: int, count: int) -> list[Record]:
    """The events of a range of entries, in tree order, without personal data; pruned ones are left out."""
    source = """audit_entry n JOIN audit_event e ON e.id = n.event
                 WHERE n.log = %s AND n."index" >= %s AND n."index" < %s ORDER BY n."index\""""
    return _fetch(source, [log, first, first + count], _WITHOUT_PERSONAL)


def fetch_placed(
    question: Filters, comparison: str, at: int, *, size: int, limit: int, with_salts: bool = True
) -> PlacedWindow:
    """At most `limit` matches among the next `size` entries beyond a position, nearest first."""
    columns = _COLUMNS if with_salts else _SHOWN
    order, edge = ("ASC", "max") if comparison == ">" else ("DESC", "min")
    rest, values = _rest(question, None)
    for bound, value in ((">=", question.lowest), ("<", question.beyond)):
        if value:
            rest += f" AND e.id {bound} %s"
            values.append(value)
    sql = f"""
        WITH span AS (SELECT log * {LOG_SHIFT} + "index" AS position, event FROM audit_entry
                       WHERE (log, "index") {comparison} (%s, %s) ORDER BY log {order}, "index" {order} LIMIT %s),
             edge AS (SELECT {edge}(position) AS position, count(*) AS entries FROM span)
        SELECT edge.position, edge.entries, found.* FROM edge LEFT JOIN (
            SELECT span.position, {columns} FROM span {_join()} audit_event e ON e.id = span.event {WITH_PERSONAL}
             WHERE {rest} ORDER BY span.position {order} LIMIT %s
        ) found ON 1 = 1 ORDER BY found.position {order}"""  # noqa: S608 names of columns; values are parameters
    with connection.cursor() as cursor:
        cursor.execute(sql, [*divmod(at, LOG_SHIFT), size, *values, limit])
        rows = cursor.fetchall()
    found = [Placed(row[2], _record(row[3:])) for row in rows if row[2] is not None]
    return PlacedWindow(found, rows[0][0] or at, rows[0][1])


def _fetch(source: str, values: Sequence[Any], columns: str = _COLUMNS) -> list[Record]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {source}", values)  # noqa: S608 constants
        return [_record(row) for row in cursor.fetchall()]


def has_other_filters(question: Filters) -> bool:
    """Whether one index alone doesn't answer the question."""
    return len(question.equal) > 1 or bool(question.words)


def fetch_window(
    question: Filters, comparison: str, at: str, *, size: int, limit: int, with_salts: bool = True
) -> Window:
    """At most `limit` matches among the next `size` ids beyond `at` of the driving filter, nearest first.

    Without salts, commitments are left out too: a third of the bytes.
    """
    columns = _COLUMNS if with_salts else _SHOWN
    driver = next((name for name in _DRIVERS if name in question.equal), None)
    order, edge = ("ASC", "max") if comparison[0] == ">" else ("DESC", "min")
    span, span_values = _span(question, driver, comparison, at)
    rest, rest_values = _rest(question, driver)
    # The span's bound once more: a merge of the two would read all that lies before it, from the log's other end.
    nearest = max(at, question.lowest) if comparison[0] == ">" else min(at, question.beyond or at)
    sql = f"""
        WITH span AS ({span} {order} LIMIT %s),
             edge AS (SELECT {edge}(id) AS id, count(*) AS ids FROM span)
        SELECT edge.id, edge.ids, found.* FROM edge LEFT JOIN (
            SELECT {columns} FROM span {_join()} audit_event e ON e.id = span.id {WITH_PERSONAL}
             WHERE e.id {comparison[0]}= %s AND {rest} ORDER BY e.id {order} LIMIT %s
        ) found ON 1 = 1 ORDER BY found.id {order}"""  # noqa: S608 names of columns; values are parameters
    with connection.cursor() as cursor:
        cursor.execute(sql, [*span_values, size, nearest, *rest_values, limit])
        rows = cursor.fetchall()
    return Window([_record(row[2:]) for row in rows if row[2] is not None], rows[0][0], rows[0][1])


def _span(question: Filters, driver: str | None, comparison: str, at: str) -> tuple[str, list[str]]:
    table, key = ("audit_personaldata", "event") if driver in _PERSONAL else ("audit_event", "id")
    conditions = {f"{key} {comparison} %s": at}
    if question.lowest:
        conditions[f"{key} >= %s "] = question.lowest
    if question.beyond:
        conditions[f"{key} < %s "] = question.beyond
    if driver:
        conditions[f'"{driver}" = %s'] = question.equal[driver]
    if driver == "type" and "outcome" in question.equal:  # a pair with an index of its own
        conditions["outcome = %s"] = question.equal["outcome"]
    where = " AND ".join(conditions)
    if driver:
        # the partial indexes leave out empty values: both databases want to be told that none is asked for
        where += f" AND NOT (\"{driver}\" = '')"
    return f"SELECT {key} AS id FROM {table} WHERE {where} ORDER BY {key}", list(conditions.values())  # noqa: S608


def _rest(question: Filters, driver: str | None) -> tuple[str, list[str]]:
    conditions, values = ["1 = 1"], []
    for name, value in question.equal.items():
        if name != driver and (driver, name) != ("type", "outcome"):
            conditions.append(f'{"p" if name in _PERSONAL else "e"}."{name}" = %s')
            values.append(value)
    for term in question.terms:
        condition, value = holds(term)
        conditions.append(condition)
        values.append(value)
    return " AND ".join(conditions), values


def _record(row: tuple[Any, ...]) -> Record:
    id_, type_, outcome, reason, severity, session, request_id, time, details, commitments, *own = row
    user, subject, ip, user_agent, foreign_request_id, text, salts = own if own[0] is not None else _ERASED
    if time.tzinfo is None:  # SQLite keeps UTC without saying so
        time = time.replace(tzinfo=UTC)
    return Record(
        id_,
        time,
        type_,
        outcome,
        reason,
        severity,
        session,
        request_id,
        _loaded(details),
        _loaded(commitments),
        user,
        subject,
        ip,
        user_agent,
        foreign_request_id,
        _loaded(text),
        _loaded(salts),
    )


def _loaded(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {} if text == EMPTY else _decode(text)[0]
    return found
