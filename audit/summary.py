"""Counts of events for charts: by minute, hour and day, type, outcome and severity.

They are kept beside the log by whoever leads the background work, in the order of the tree: an entry is counted exactly
once, in the transaction that moves the mark behind it. So they reach as far as what is integrated and counted, which
every answer says. They hold no personal data; losing them loses nothing that the log could not tell again.

Times are those of the events, in UTC; a bucket is named by its first second (Unix time).
"""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction

from audit.filters import BadFilter, id_prefix
from audit.integrate import end_when_stopped
from audit.queries import LOG_SHIFT, behind

BUCKETS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
SPANS: Final = {"minute": 3600, "hour": 86_400, "day": 30 * 86_400}  # seconds, where `since` is not told
MAX_BUCKETS: Final = 1_500
# A span around them stays within what a date can tell, whatever its buckets.
EARLIEST: Final = int(datetime(1971, 1, 1, tzinfo=UTC).timestamp() * 1000)
BEYOND: Final = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000)
BATCH: Final = 5_000
LOOKED_AT: Final = 1_000  # latest failures, for those who caused most of them
TOP: Final = 10
BEHIND: Final = behind("(SELECT position FROM audit_rollupmark WHERE id = 1)")


@dataclass(frozen=True, slots=True)
class Count:
    """How many events of one kind a bucket holds."""

    start: int
    type: str
    outcome: str
    severity: str
    count: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the counts go: entries of the newest log that is counted, and how many that log has."""

    log: int
    counted: int
    entries: int


@dataclass(frozen=True, slots=True)
class Top:
    """Who caused most of the latest failures of a span: (address or account, count), most first."""

    looked_at: int
    sources: list[tuple[str, int]]
    users: list[tuple[str, int]]


def advance() -> int:
    """Count the next entries; how many. 0 also where somebody else was faster. For the worker."""
    before = _position()
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT n.log, n."index", n.event, e.type, e.outcome, e.severity
                 FROM (SELECT log, "index", event FROM audit_entry WHERE (log, "index") > (%s, %s)
                        ORDER BY log, "index" LIMIT %s) AS n
                 LEFT JOIN audit_event e ON e.id = n.event ORDER BY n.log, n."index\"""",
            [*divmod(before, LOG_SHIFT), BATCH],
        )
        rows = cursor.fetchall()
    if not rows:
        return 0
    counts: Counter[tuple[Any, ...]] = Counter()
    for _, _, event, type_, outcome, severity in rows:
        if type_ is None:
            continue  # pruned before it was counted
        second = int(event[:8] + event[9:13], 16) // 1000
        for seconds in BUCKETS.values():
            counts[seconds, second - second % seconds, type_, outcome, severity] += 1
    with transaction.atomic():
        end_when_stopped()
        if not _move(before, rows[-1][0] * LOG_SHIFT + rows[-1][1]):
            return 0
        with connection.cursor() as cursor:
            cursor.executemany(
                """INSERT INTO audit_rollup (seconds, start, type, outcome, severity, count)
                   VALUES (%s, %s, %s, %s, %s, %s)
                   ON CONFLICT (seconds, start, type, outcome, severity)
                   DO UPDATE SET count = audit_rollup.count + excluded.count""",
                [(*key, count) for key, count in sorted(counts.items())],
            )
    return len(rows)


def _position() -> int:
    """The position that was counted last; before all where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT position FROM audit_rollupmark WHERE id = 1")
        row = cursor.fetchone()
    return int(row[0]) if row else -1


def _move(before: int, after: int) -> bool:
    with connection.cursor() as cursor:
        if before < 0:
            cursor.execute(
                "INSERT INTO audit_rollupmark (id, position) VALUES (1, %s) ON CONFLICT DO NOTHING", [after]
            )
        else:
            cursor.execute(
                "UPDATE audit_rollupmark SET position = %s WHERE id = 1 AND position = %s", [after, before]
            )
        return bool(cursor.rowcount)


def parse_span(since: int | None, until: int | None, bucket: str) -> tuple[int, int]:
    """Whole buckets around a span: the first second, and the first one after it. Times in Unix milliseconds.

    Raises:
        BadFilter: `bucket` is none, there would be more than MAX_BUCKETS, or a bound is outside the years 1971 to 9998.
    """
    for name, bound in (("since", since), ("until", until)):
        if bound is not None and not EARLIEST <= bound <= BEYOND:
            raise BadFilter(name, "must be in the years 1971 to 9998")
    if bucket not in BUCKETS:
        raise BadFilter("bucket", "must be one of: " + ", ".join(BUCKETS))
    seconds = BUCKETS[bucket]
    last = (until if until is not None else int(time.time() * 1000) + 1) - 1
    end = (last // 1000 // seconds + 1) * seconds
    begin = since // 1000 // seconds * seconds if since is not None else end - SPANS[bucket]
    if begin >= end:
        raise BadFilter("since", "must be before until")
    if (end - begin) // seconds > MAX_BUCKETS:
        raise BadFilter("bucket", f"must be longer: at most {MAX_BUCKETS} of them are counted at once")
    return begin, end


def read_counts(begin: int, end: int, bucket: str) -> list[Count]:
    """The counts of each bucket of a span, in the order of time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT start, type, outcome, severity, count FROM audit_rollup
                WHERE seconds = %s AND start >= %s AND start < %s ORDER BY start, type, outcome, severity""",
            [BUCKETS[bucket], begin, end],
        )
        return [Count(*row) for row in cursor.fetchall()]


def read_reach() -> Reach | None:
    """How far the counts go; None while nothing is counted."""
    position = _position()
    if position < 0:
        return None
    log, index = divmod(position, LOG_SHIFT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT size FROM audit_log WHERE id = %s", [log])
        row = cursor.fetchone()
    return Reach(log, index + 1, int(row[0]) if row else index + 1)


def read_top(begin: int, end: int) -> Top:
    """Sources and accounts of the latest LOOKED_AT failures of a span, integrated or not."""
    latest = """WITH latest AS (
        SELECT p.ip, p."user" AS account FROM (
            SELECT id FROM audit_event WHERE outcome = 'failure' AND id >= %s AND id < %s ORDER BY id DESC LIMIT %s
        ) AS e LEFT JOIN audit_personaldata p ON p.event = e.id)"""
    values: list[str | int] = [id_prefix(begin * 1000), id_prefix(end * 1000), LOOKED_AT]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""{latest} SELECT '', '', count(*) FROM latest UNION ALL
                SELECT * FROM (SELECT 'ip', ip, count(*) FROM latest WHERE ip <> '' GROUP BY ip
                                ORDER BY 3 DESC, 2 LIMIT {TOP}) AS sources UNION ALL
                SELECT * FROM (SELECT 'user', account, count(*) FROM latest WHERE account <> '' GROUP BY account
                                ORDER BY 3 DESC, 2 LIMIT {TOP}) AS accounts""",  # noqa: S608 constants
            values,
        )
        rows = cursor.fetchall()
    found: dict[str, list[tuple[str, int]]] = {"": [], "ip": [], "user": []}
    for kind, value, count in rows:
        found[kind].append((value, count))
    return Top(found[""][0][1], found["ip"], found["user"])
