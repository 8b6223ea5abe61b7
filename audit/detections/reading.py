"""Reading the detections, newest first, page by page, and acknowledging one.

Whom a detection is about is read from the personal data of the events that show it, so what was erased there is gone
here. Cursors name a detection: new ones neither repeat nor hide a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from audit.detections.entries import time_of
from audit.detections.rules import RULES
from audit.detections.tables import Detection, DetectionNote
from audit.events import Severity
from audit.filters import DEFAULT_LIMIT, BadFilter, parse_filters, parse_limit, read_cursor, write_cursor
from audit.queries import fetch_events
from audit.records import Record
from audit.validation import rfc3339
from audit.vocabulary import DetectionRule

STATES: Final = ("open", "acknowledged")
FILTERS: Final = ("rule", "severity", "state", "since", "until")
MOST_NOTES: Final = 100  # shown of one detection, the newest; the log has all
FLOOD: Final = (
    gettext_noop("Detections come faster than they are told"),
    gettext_noop(
        "More detections of the rule {rule} were raised within an hour than are told: the others are listed only, "
        "neither in the log nor sent."
    ),
)
_RULES: Final = {rule.id: rule for rule in RULES}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_LOOKUPS: Final = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


@dataclass(frozen=True, slots=True)
class Page:
    """Detections, newest first, and the cursors of the pages with older (`next`) and newer (`previous`) ones."""

    results: list[dict[str, Any]]
    next: str | None
    previous: str | None


def find_detections(
    filters: Mapping[str, str], *, cursor: str = "", limit: int | str = DEFAULT_LIMIT
) -> Page:
    """One page. `since` and `until` ask for detections with events in that time, both inclusive.

    Raises:
        BadFilter: an unknown filter or a bad value, cursor or limit.
    """
    wanted, length = _filtered(filters), parse_limit(limit)
    comparison, at = _read_cursor(cursor) if cursor else ("<", None)
    newer = comparison[0] == ">"
    if at is not None:
        wanted = wanted.filter(**{f"number__{_LOOKUPS[comparison]}": at})
    rows = list(wanted.order_by("number" if newer else "-number")[: length + 1])
    reached = rows[length - 1].number if len(rows) > length else None
    rows = rows[:length]
    back = _write_cursor(_OPPOSITE[comparison], rows[0].number if rows else at) if cursor else None
    if rows and cursor:
        back = _write_cursor("<" if newer else ">", rows[0].number)
    on = _write_cursor(comparison[0], reached) if reached is not None else None
    results = describe(rows[::-1] if newer else rows)
    return Page(results, back, on) if newer else Page(results, on, back)


def find_detection(detection_id: str) -> dict[str, Any] | None:
    """One detection with the `notes` of its acknowledgements, oldest first, or None."""
    one = Detection.objects.filter(id=detection_id).first()
    return {**describe([one])[0], "notes": _notes(one)} if one else None


def lock_detection(detection_id: str) -> Detection | None:
    """One detection, locked until the transaction ends."""
    return Detection.objects.select_for_update().filter(id=detection_id).first()


def acknowledge(one: Detection, *, event: str, now: datetime) -> None:
    """Mark a locked one as acknowledged by an event of this transaction, beside those before."""
    if one.acknowledgement:  # of before the acknowledgements had rows
        known = {"detection": one.id, "at": one.acknowledged_at, "count": one.acknowledged_count}
        DetectionNote.objects.get_or_create(event=one.acknowledgement, defaults=known)
    DetectionNote.objects.create(event=event, detection=one.id, at=now, count=one.count)
    one.acknowledgement, one.acknowledged_at, one.acknowledged_count = event, now, one.count
    one.save(update_fields=["acknowledgement", "acknowledged_at", "acknowledged_count"])


def summarize(one: Detection) -> dict[str, Any]:
    """A detection without anything personal: what goes to the log's followers and to webhooks."""
    title, why = explain(one.rule, one.figures)
    return {
        "id": one.id,
        "rule": one.rule,
        "severity": one.severity,
        "title": title,
        "why": why,
        "kind": one.kind,
        "count": one.count,
        "first_event_at": _moment(one.first_event),
        "last_event_at": _moment(one.last_event),
        "raised_at": rfc3339(one.raised_at),
        "events": _evidence(one),
    }


def describe(rows: Iterable[Detection]) -> list[dict[str, Any]]:
    """Detections as auditors see them."""
    found = list(rows)
    wanted = {event for one in found for event in (*one.earliest, *one.latest, one.acknowledgement) if event}
    records = {record.id: record for record in fetch_events(sorted(wanted))} if wanted else {}
    return [_describe(one, records) for one in found]


def _describe(one: Detection, records: Mapping[str, Record]) -> dict[str, Any]:
    summary = summarize(one)
    shown = [records[event] for event in summary["events"] if event in records]
    about = {
        "kind": summary.pop("kind"),
        "users": _distinct(record.user for record in shown),
        "subjects": _distinct(record.subject for record in shown),
        "ips": _distinct(record.ip for record in shown),
        "sessions": _distinct(record.session for record in shown),
    }
    state = STATES[bool(one.acknowledgement)]
    acknowledged = _acknowledged(one, records.get(one.acknowledgement)) if one.acknowledgement else None
    return {
        **summary,
        "figures": one.figures,
        "about": about,
        "told": one.announced,
        "state": state,
        "acknowledged": acknowledged,
    }


def _acknowledged(one: Detection, event: Record | None) -> dict[str, Any]:
    return _told(one.acknowledged_at, one.acknowledged_count, event)


def _told(at: datetime | None, count: int, event: Record | None) -> dict[str, Any]:
    return {
        "at": rfc3339(at) if at else None,
        "by": event.user if event else "",
        "note": event.text.get("note", "") if event else "",
        "count": count,
    }


def _notes(one: Detection) -> list[dict[str, Any]]:
    """The newest acknowledgements, oldest first; the last too where it has no row, from before they had some."""
    newest = DetectionNote.objects.filter(detection=one.id).order_by("-event")[:MOST_NOTES]
    noted: dict[str, tuple[datetime | None, int]] = {
        row.event: (row.at, row.count) for row in reversed(newest)
    }
    if one.acknowledgement and one.acknowledgement not in noted:
        noted = {one.acknowledgement: (one.acknowledged_at, one.acknowledged_count), **noted}
    records = {record.id: record for record in fetch_events(list(noted))} if noted else {}
    return [_told(at, count, records.get(event)) for event, (at, count) in noted.items()]


def explain(
    rule: str, figures: Mapping[str, Any], translate: Callable[[str], str] = lambda text: text
) -> tuple[str, str]:
    """A detection's title and why it was raised, in plain words: English, or what `translate` makes of it."""
    if rule == DetectionRule.DETECTION_FLOOD:
        title, why = FLOOD
    else:
        raised = _RULES[DetectionRule(rule)]
        title, why, figures = raised.title, raised.why, raised.figures(figures)
    return translate(title), translate(why).format(**figures)


def _evidence(one: Detection) -> list[str]:
    return sorted({*one.earliest, *one.latest})


def _moment(event_id: str) -> str:
    return rfc3339(datetime.fromtimestamp(time_of(event_id) / 1000, UTC))


def _distinct(values: Iterable[str]) -> list[str]:
    return sorted({value for value in values if value})


def _filtered(filters: Mapping[str, str]) -> QuerySet[Detection]:
    foreign = next((name for name in filters if name not in FILTERS), None)
    if foreign is not None:
        raise BadFilter(foreign, "unknown filter")
    common = {name: filters[name] for name in ("severity", "since", "until") if name in filters}
    question, found = parse_filters(common), Detection.objects.all()
    if "severity" in filters:
        found = found.filter(severity=Severity(filters["severity"]))
    if "rule" in filters:
        found = found.filter(rule=_member("rule", filters["rule"], tuple(DetectionRule)))
    if "state" in filters:
        is_open = _member("state", filters["state"], STATES) == "open"
        found = found.filter(acknowledgement="") if is_open else found.exclude(acknowledgement="")
    if question.lowest:
        found = found.filter(last_event__gte=question.lowest)
    if question.beyond:
        found = found.filter(first_event__lt=question.beyond)
    return found


def _member(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise BadFilter(name, "must be one of: " + ", ".join(known))
    return value


def _write_cursor(comparison: str, number: int | None) -> str:
    return write_cursor(comparison, f"{number or 0:036d}")


def _read_cursor(cursor: str) -> tuple[str, int]:
    comparison, at = read_cursor(cursor)
    if not at.isdecimal():
        raise BadFilter("cursor", "not a cursor of this list")
    return comparison, int(at[-18:])
