"""The rows of the detections: cursor, slots, detections."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from audit.detections import slot as slots_
from audit.detections.counting import Change, Slots, expires_ms, highest
from audit.detections.entries import Place
from audit.detections.rule import Rule
from audit.detections.slot import EVIDENCE, Slot, greatest, least
from audit.detections.tables import Detection
from audit.queries import LOG_SHIFT, behind

CHUNK: Final = 500
BEGINNING: Final = (1, -1)
BEHIND: Final = behind(
    f'(SELECT log * {LOG_SHIFT} + "index" FROM audit_detectioncursor WHERE id = 1)'  # noqa: S608 constant
)
Groups = Mapping[str, tuple[Rule, Slots]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the log has been followed, and the newest time that was seen (Unix ms)."""

    place: Place
    newest_ms: int


def read_cursor() -> Cursor:
    """The cursor; before the first entry where there is none yet."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT log, "index", newest_ms FROM audit_detectioncursor WHERE id = 1')
        row = cursor.fetchone()
        if row is None:
            cursor.execute(
                'INSERT INTO audit_detectioncursor (id, log, "index", newest_ms) VALUES (1, %s, %s, 0)'
                " ON CONFLICT DO NOTHING",
                BEGINNING,
            )
            return Cursor(BEGINNING, 0)
    return Cursor((row[0], row[1]), row[2])


def move_cursor(old: Cursor, place: Place, newest_ms: int) -> bool:
    """Move the cursor; False when it is not (any longer) the old one."""
    with connection.cursor() as cursor:
        cursor.execute(
            'UPDATE audit_detectioncursor SET log = %s, "index" = %s, newest_ms = %s'
            ' WHERE id = 1 AND log = %s AND "index" = %s',
            [*place, newest_ms, *old.place],
        )
        return bool(cursor.rowcount)


def read_slots(groups: Iterable[str]) -> dict[str, Slots]:
    """All slots of these groups."""
    found: dict[str, Slots] = {}
    for chunk in _chunks(sorted(groups)):
        marks = ", ".join(["%s"] * len(chunk))
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT "group", number, state FROM audit_detectionslot WHERE "group" IN ({marks})',  # noqa: S608
                chunk,
            )
            for group, number, state in cursor.fetchall():
                found.setdefault(group, {})[number] = slots_.load(state)
    return found


def write_slots(groups: Groups, slots: Mapping[str, Slots]) -> None:
    """Store the slots of these groups."""
    rows = [
        (group, number, expires_ms(rule, number), slot.dump())
        for group, (rule, _) in sorted(groups.items())
        for number, slot in sorted(slots[group].items())
    ]
    for chunk in _chunks(rows):
        values = ", ".join(["(%s, %s, %s, %s)"] * len(chunk))
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO audit_detectionslot ("group", number, expires_ms, state) VALUES {values}
                    ON CONFLICT ("group", number) DO UPDATE SET state = excluded.state""",  # noqa: S608 marks
                [value for row in chunk for value in row],
            )


def drop_slots(newest_ms: int) -> None:
    """Remove the slots that no window needs any more."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_detectionslot WHERE expires_ms < %s", [newest_ms])


def write_detections(changes: Mapping[str, Change]) -> list[Detection]:
    """Let the stored detections grow; the new ones, unsaved, those whose events began first in front."""
    known = {
        one.id: one for chunk in _chunks(sorted(changes)) for one in Detection.objects.filter(id__in=chunk)
    }
    for id_, one in known.items():
        _grow(one, changes[id_])
    fields = ("first_event", "last_event", "count", "figures", "earliest", "latest")
    Detection.objects.bulk_update(list(known.values()), fields, batch_size=CHUNK)
    new = [_new(id_, change) for id_, change in changes.items() if id_ not in known]
    return sorted(new, key=lambda one: (one.first_event, one.id))


def _grow(one: Detection, change: Change) -> None:
    one.count += change.count
    one.figures = highest(one.figures, change.figures)
    evidence = Slot(earliest=one.earliest, latest=one.latest)
    evidence.keep_evidence(change.evidence.earliest, change.evidence.latest)
    one.earliest, one.latest = evidence.earliest, evidence.latest
    one.first_event, one.last_event = one.earliest[0], one.latest[-1]


def _new(id_: str, change: Change) -> Detection:
    evidence = change.evidence
    return Detection(
        id=id_,
        rule=change.rule.id,
        severity=change.rule.severity,
        kind=change.rule.by,
        first_event=evidence.earliest[0],
        last_event=evidence.latest[-1],
        count=change.count,
        figures=change.figures,
        earliest=evidence.earliest,
        latest=evidence.latest,
    )


def insert_detections(new: Sequence[Detection]) -> None:
    """Store new ones, in their order."""
    Detection.objects.bulk_create(new, batch_size=CHUNK)


def count_told(rule: str, *, since: datetime) -> int:
    """How many detections of a rule were told since then."""
    return Detection.objects.filter(rule=rule, announced=True, raised_at__gt=since).count()


def write_flood(flood: Detection) -> list[Detection]:
    """Store a flood of detections, or let the hour's grow; it, where it is new."""
    known = Detection.objects.filter(id=flood.id).first()
    if known is None:
        flood.save(force_insert=True)
        return [flood]
    known.count += flood.count
    known.last_event = max(known.last_event, flood.last_event)
    known.latest = greatest({*known.latest, *flood.earliest}, EVIDENCE)
    known.earliest = least({*known.earliest, *flood.earliest}, EVIDENCE)
    # not what an auditor noted meanwhile: PostgreSQL does not lock the row for this transaction until here
    known.save(update_fields=["count", "last_event", "latest", "earliest"])
    return []


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[at : at + CHUNK] for at in range(0, len(values), CHUNK))
