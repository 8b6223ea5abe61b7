"""From sightings to detections: slots are filled, windows of slots judged, and what a window shows is gathered.

A window is the SLOTS slots before one and that one: any attack no longer than the rule's window lies wholly in one of
them, so there is no border to hide behind. Where a window reaches the rule's thresholds, all its slots are evidence of
the detection of that window's day (UTC): a detection is one rule, one group and one day, in whatever order events come.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from audit.detections.rule import DAY_MS, SLOTS, Rule, Sighting
from audit.detections.rules import RULES
from audit.detections.slot import DIGEST_LENGTH, Slot, together

LATENESS_MS: Final = 3_600_000  # an event that comes later than this after newer ones is not counted
Digest = Callable[[str], str]
Slots = dict[int, Slot]


@dataclass
class Change:
    """What a batch adds to one detection; `figures` are the highest of any window."""

    rule: Rule
    count: int = 0
    figures: dict[str, int] = field(default_factory=dict)
    evidence: Slot = field(default_factory=Slot)


@dataclass
class Counted:
    """A batch, counted: by group the rule and its slots, and the newest time that was seen."""

    newest_ms: int
    groups: dict[str, tuple[Rule, Slots]] = field(default_factory=dict)


def count(sightings: Iterable[Sighting], *, digest: Digest, newest_ms: int) -> Counted:
    """Sort a batch into slots. A clock that is ahead, or was until it was set right, makes no later event late."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    counted = Counted(min(newest_ms, now_ms))
    for sighting in sightings:
        if sighting.time_ms < counted.newest_ms - LATENESS_MS:
            continue
        counted.newest_ms = max(counted.newest_ms, min(sighting.time_ms, now_ms))
        for rule in _BY_TYPE.get(sighting.type, ()):
            names, about = rule.counted(sighting), sighting.value(rule.by)
            if not names or not about:
                continue
            group = digest(f"{rule.id} {about}")
            _, slots = counted.groups.setdefault(group, (rule, {}))
            slot = slots.setdefault(sighting.time_ms // rule.slot_ms, Slot())
            values = [(name, digest(value)[:DIGEST_LENGTH]) for name, value in rule.told_apart(sighting)]
            slot.add(names, values, sighting)
    return counted


def fold(counted: Counted, stored: dict[str, Slots]) -> dict[str, Change]:
    """Add a batch to the stored slots of its groups, in place; what that adds to detections, by id."""
    changes: dict[str, Change] = {}
    for group, (rule, fresh) in counted.groups.items():
        slots = stored.setdefault(group, {})
        for number, slot in fresh.items():
            slots.setdefault(number, Slot()).merge(slot)
        changes |= judge(rule, group, slots, fresh)
    return changes


def judge(rule: Rule, group: str, slots: Slots, changed: Iterable[int]) -> dict[str, Change]:
    """What the slots of a group show after some of them changed, by detection; marks in the slots what was told."""
    touched = set(changed)
    affected = {number for number in slots if touched & set(range(number - SLOTS, number + 1))}
    changes: dict[str, Change] = {}
    for number in sorted(affected):
        window = [slots[each] for each in range(number - SLOTS, number + 1) if each in slots]
        whole = together(window)
        if not whole.reaches(rule):
            continue
        day = str(number * rule.slot_ms // DAY_MS)
        change = changes.setdefault(day, Change(rule))
        change.figures = highest(change.figures, whole.figures())
        for slot in window:
            slot.told.setdefault(day, 0)
    for slot in slots.values():
        for day, told in slot.told.items():
            if slot.total > told:
                change = changes.setdefault(day, Change(rule))
                change.count += slot.total - told
                change.evidence.keep_evidence(slot.earliest, slot.latest)
                slot.told[day] = slot.total
    return {detection_id(rule.id, group, day): change for day, change in changes.items()}


def highest(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Of each figure the higher."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {*one, *other}}


def detection_id(*parts: object) -> str:
    """The id that the same rule, group and day always have: a UUIDv8 (RFC 9562 section 5.8) of their digest."""
    text = hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-8{text[17:20]}-{text[20:32]}"


def expires_ms(rule: Rule, number: int) -> int:
    """When a slot can no longer be part of a window that an accepted event changes."""
    return (number + 2) * rule.slot_ms + rule.window_seconds * 1000 + LATENESS_MS


def _by_type() -> dict[Any, list[Rule]]:
    found: dict[Any, list[Rule]] = {}
    for rule in RULES:
        for type_ in rule.types:
            found.setdefault(str(type_), []).append(rule)
    return found


_BY_TYPE: Final = _by_type()
