"""Counting a flood: who opens a window, who is only counted, and which windows have ended.

A window belongs to a bucket (a digest of type, reason, source and key) and begins with the event that opens
it. Exactly one event opens it, on any number of processes and nodes; an opener that is rolled back never was.
On PostgreSQL a counter that another transaction holds is passed over for a further row, so that those who
only count never wait; one statement, at the database's clock. On SQLite the write lock decides.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from audit.canonical import canonical
from audit.records import Record

# A transaction that counted just before the end may commit just after it.
GRACE: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(hours=1)  # of all windows
DUE: Final = "SELECT 1 FROM audit_tally WHERE ends_at <= %s LIMIT 1"
COLUMNS: Final = 'bucket, first_event, ends_at, count, "user", session, about'


@dataclass(frozen=True, slots=True)
class Window:
    """A window that ended: how many events followed its first; user and session where all share them."""

    first_event: str
    count: int
    user: str
    session: str
    about: dict[str, Any]


def opens_window(record: Record, *, bucket: str, window_seconds: int) -> bool:
    """Count the event in its open window, or open one for it: True, and the event is to be written."""
    about = {
        "type": record.type,
        "outcome": record.outcome,
        "reason": record.reason,
        "severity": record.severity,
        "ip": record.ip,
        "window_seconds": window_seconds,
    }
    row = (bucket, record.id, window_seconds, record.user, record.session, json.dumps(about))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT audit_opens_window(%s, %s, %s, %s, %s, %s)", row)
            return bool(cursor.fetchone()[0])
        return _opens_on_sqlite(cursor, *row)


def count_more(bucket: str, *, times: int) -> bool:
    """Count so many events in their open window; False when none is open."""
    now = "clock_timestamp()" if connection.vendor == "postgresql" else "%s"
    sql = f"""
        UPDATE audit_tally SET count = count + %s
         WHERE id = (SELECT id FROM audit_tally WHERE bucket = %s AND ends_at > {now} LIMIT 1)"""  # noqa: S608 constant
    moment = [] if connection.vendor == "postgresql" else [_time(datetime.now(UTC))]
    with connection.cursor() as cursor:
        cursor.execute(sql, [times, bucket, *moment])
        return bool(cursor.rowcount)


def bucket_of(record: Record, key: str, *, by_source: bool = True) -> str:
    """The digest that events of one flood share."""
    flood = [record.type, record.reason, source_of(record.ip) if by_source else "", key]
    return hashlib.sha256(canonical(flood)).hexdigest()


def source_of(ip: str) -> str:
    """The IPv4 address or the IPv6 /64: one customer's network, within which addresses are free."""
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), 64), strict=False))
    return str(address)


def take_ended(limit: int) -> list[Window]:
    """Remove the tallies of windows that ended and return those windows. Call it in a transaction."""
    ended, locking, bound = "%s", "", _time(datetime.now(UTC) - GRACE)
    if connection.vendor == "postgresql":
        ended, locking, bound = "clock_timestamp() - %s", "FOR UPDATE SKIP LOCKED", GRACE
    sql = f"""
        DELETE FROM audit_tally WHERE id IN (
            SELECT id FROM audit_tally WHERE ends_at <= {ended}
             ORDER BY ends_at, first_event LIMIT %s {locking}
        ) RETURNING first_event, count, "user", session, about"""  # noqa: S608 no value is interpolated
    with connection.cursor() as cursor:
        cursor.execute(sql, [bound, limit])
        return _gathered(cursor.fetchall())


def end_distant() -> int:
    """End the windows that a clock which was ahead began: until it is there again, nothing of their floods is told."""
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_tally SET ends_at = %s WHERE ends_at > %s",
            [_time(now), _time(now + 2 * LONGEST)],  # of the clocks of two nodes one may be slow
        )
        return int(cursor.rowcount)


def _gathered(rows: list[tuple[str, int, str, str, str]]) -> list[Window]:
    windows: dict[str, Window] = {}
    for first_event, count, user, session, about in rows:
        known = windows.get(first_event)
        if known is None:
            windows[first_event] = Window(first_event, count, user, session, json.loads(about))
            continue
        windows[first_event] = Window(
            first_event,
            known.count + count,
            user if user == known.user else "",
            session if session == known.session else "",
            known.about,
        )
    return list(windows.values())


def _opens_on_sqlite(
    cursor: CursorWrapper, bucket: str, event: str, window_seconds: int, user: str, session: str, about: str
) -> bool:
    # UPDATE comes first: it takes the write lock even in a transaction that began without it
    now = datetime.now(UTC)
    cursor.execute(
        """UPDATE audit_tally SET count = count + 1, "user" = CASE WHEN "user" = %s THEN "user" ELSE '' END,
                  session = CASE WHEN session = %s THEN session ELSE '' END
            WHERE bucket = %s AND ends_at > %s""",
        (user, session, bucket, _time(now)),
    )
    if cursor.rowcount:
        return False
    ends_at = _time(now + timedelta(seconds=window_seconds))
    cursor.execute(
        f"INSERT INTO audit_tally ({COLUMNS}) VALUES (%s, %s, %s, 0, %s, %s, %s)",  # noqa: S608 constant
        (bucket, event, ends_at, user, session, about),
    )
    return True


def _time(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
