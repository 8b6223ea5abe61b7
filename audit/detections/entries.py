"""The entries of the log as the rules see them, in the order of the tree.

A `log.collapsed` stands for further events like the first of its flood, so it is seen as that one, as many times as it
counted and at that one's time. Where the flood was about several accounts, none is known, and it counts for its source
only.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from audit.detections.rule import Sighting
from audit.detections.rules import RULES
from audit.events import EventType
from audit.tallies import source_of

TYPES: Final = frozenset(type_ for rule in RULES for type_ in rule.types)
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """What follows a place: the last place looked at, how many entries that were, and what the rules see of them."""

    last: Place
    entries: int
    sightings: list[Sighting]


def read_entries(after: Place, limit: int) -> Batch:
    """The next entries, at most `limit`, of the present log or of its successors."""
    marks = ", ".join(["%s"] * (len(TYPES) + 1))
    sql = f"""
        SELECT span.log, span."index", e.id, e.type, e.outcome, e.reason, e.session, e.details,
               p."user", p.subject, p.ip
          FROM (SELECT log, "index", event FROM audit_entry WHERE (log, "index") > (%s, %s)
                 ORDER BY log, "index" LIMIT %s) AS span
          LEFT JOIN audit_event e ON e.id = span.event AND e.type IN ({marks})
          LEFT JOIN audit_personaldata p ON p.event = e.id
         ORDER BY span.log, span."index\""""  # noqa: S608 marks only
    with connection.cursor() as cursor:
        cursor.execute(sql, [*after, limit, *sorted(TYPES), EventType.LOG_COLLAPSED])
        rows = cursor.fetchall()
    last = (rows[-1][0], rows[-1][1]) if rows else after
    found = [[*row[2:7], json.loads(row[7]), *row[8:]] for row in rows if row[2] is not None]
    collapsed = [row[5]["first_event"] for row in found if _is_flood(row)]
    firsts = _details_of(collapsed)
    return Batch(last, len(rows), [one for row in found if (one := _seen(row, firsts))])


def _is_flood(row: list[Any]) -> bool:
    return bool(row[1] == EventType.LOG_COLLAPSED and row[5]["type"] in TYPES)


def _details_of(events: list[str]) -> dict[str, dict[str, Any]]:
    """The details of events by id; one that was pruned has none."""
    if not events:
        return {}
    marks = ", ".join(["%s"] * len(events))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, details FROM audit_event WHERE id IN ({marks})", events)  # noqa: S608 marks
        return {event: json.loads(details) for event, details in cursor.fetchall()}


def _seen(row: list[Any], firsts: dict[str, dict[str, Any]]) -> Sighting | None:
    event, type_, outcome, reason, session, details, user, subject, ip = row
    moment, times = event, 1
    if type_ == EventType.LOG_COLLAPSED:
        if not _is_flood(row):
            return None
        moment, times = details["first_event"], details["count"]
        type_, reason = details["type"], details.get("reason", "")
        details = firsts.get(moment, {})
    return Sighting(
        id=event,
        time_ms=time_of(moment),
        type=type_,
        outcome=outcome,
        reason=reason,
        details=details,
        session=session,
        account=user or subject or "",
        source=source_of(ip) if ip else "",
        times=times,
    )


def time_of(event_id: str) -> int:
    """The Unix time in milliseconds inside a UUIDv7 (RFC 9562 section 5.7)."""
    return int(event_id[:8] + event_id[9:13], 16)
