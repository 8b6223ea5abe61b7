"""Follows the log and raises detections: each batch of entries exactly once.

The cursor, the slots, the detections and their events commit together, by compare-and-swap on the cursor: of any number
of engines one wins each batch, and one that was killed or stopped anywhere changed nothing. The work grows with the new
entries only.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction

from audit.append import NewEvent, append
from audit.details import Detection as Details
from audit.details import Id
from audit.detections import store
from audit.detections.counting import Digest, count, detection_id, fold
from audit.detections.entries import read_entries
from audit.detections.rule import Kind
from audit.detections.slot import EVIDENCE
from audit.detections.tables import Detection
from audit.events import SYSTEM, EventType, Outcome, Severity
from audit.integrate import end_when_stopped
from audit.vocabulary import DetectionRule

BATCH: Final = 1_000
# An attacker who makes detections by the thousand gets that many told; the rest are stored, and one says so.
TOLD_PER_RULE: Final = 50
TOLD_SECONDS: Final = 3_600
Told = Callable[[Sequence[Detection]], None]


def advance(*, digest: Digest, tell: Told, batch: int = BATCH) -> int:
    """Follow up to `batch` entries; how many. 0 also where another engine was faster.

    `digest` is a keyed digest in hexadecimal; `tell` is called in the transaction with what is new and to be told.
    """
    cursor = store.read_cursor()
    found = read_entries(cursor.place, batch)
    if not found.entries:
        return 0
    counted = count(found.sightings, digest=digest, newest_ms=cursor.newest_ms)
    with transaction.atomic():
        end_when_stopped()
        if not store.move_cursor(cursor, found.last, counted.newest_ms):
            return 0
        stored = store.read_slots(counted.groups)
        changes = fold(counted, stored)
        store.write_slots(counted.groups, stored)
        store.drop_slots(counted.newest_ms)
        raised = store.write_detections(changes)
        told = _bound(raised)
        append(*(_event(one) for one in told))
        if told:
            tell(told)
    return found.entries


def _bound(raised: Sequence[Detection]) -> list[Detection]:
    """Store what is newly raised; what of it is told. What goes beyond the bound is one detection by itself."""
    now = datetime.now(UTC)
    told: list[Detection] = []
    for rule in sorted({one.rule for one in raised}):
        own = [one for one in raised if one.rule == rule]
        left = max(0, TOLD_PER_RULE - store.count_told(rule, since=now - timedelta(seconds=TOLD_SECONDS)))
        for one in own:
            one.raised_at, one.announced = now, False
        for one in own[:left]:
            one.announced = True
        told += own[:left]
        if own[left:]:
            told += store.write_flood(_flood(rule, own[left:], now))
    store.insert_detections(raised)
    return told


def _flood(rule: str, untold: Sequence[Detection], now: datetime) -> Detection:
    """What says that detections of a rule come faster than they are told; one a rule and hour."""
    return Detection(
        id=detection_id(DetectionRule.DETECTION_FLOOD, rule, int(now.timestamp()) // TOLD_SECONDS),
        rule=DetectionRule.DETECTION_FLOOD,
        severity=Severity.HIGH,
        kind=Kind.SERVICE,
        first_event=min(one.first_event for one in untold),
        last_event=max(one.last_event for one in untold),
        count=len(untold),
        figures={"rule": rule},
        earliest=sorted(one.first_event for one in untold)[:EVIDENCE],
        latest=[],
        raised_at=now,
        announced=True,
    )


def _event(detection: Detection) -> NewEvent:
    return NewEvent(
        type=EventType.DETECTION_RAISE,
        outcome=Outcome.SUCCESS,
        severity=Severity(detection.severity),
        source=SYSTEM,
        details=Details(
            detection=Id(detection.id), rule=DetectionRule(detection.rule), count=detection.count
        ),
    )
