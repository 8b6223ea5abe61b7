"""What attackers and honest people leave in the log, as the rules see it; times in seconds from a day's beginning."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audit.detections.counting import Change, count, expires_ms, fold
from audit.detections.rule import DAY_MS, Sighting
from audit.detections.slot import load

DAY = 20_000 * DAY_MS  # in 2024: the rules never look at the clock
NOON = 12 * 3600.0
_numbers = itertools.count()


def seen(type_: str, reason: str = "", *, at: float = NOON, **what: Any) -> Sighting:
    """One event; a failure where it has a reason, unless `outcome` says otherwise."""
    time_ms = DAY + round(at * 1000)
    outcome = what.pop("outcome", "failure" if reason else "success")
    return Sighting(
        id=event_id(time_ms), time_ms=time_ms, type=type_, outcome=outcome, reason=reason,
        **{"details": {}, "account": "anna", "source": "192.0.2.1", **what},
    )  # fmt: skip


def event_id(time_ms: int) -> str:
    text = f"{time_ms:012x}7000{0x8000 << 48 | next(_numbers):016x}"
    return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])


def wrong(**what: Any) -> Sighting:
    return seen("login.password", "wrong_password", **what)


def unknown(**what: Any) -> Sighting:
    return seen("login.password", "unknown_account", **what)


def right(**what: Any) -> Sighting:
    return seen("login.password", **what)


@dataclass
class Recognised:
    """What became of one detection."""

    rule: str
    count: int
    figures: dict[str, int]
    earliest: list[str]
    latest: list[str]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def recognise(batches: Iterable[Sequence[Sighting]]) -> dict[str, Recognised]:
    """The detections of these batches, one after the other, as the engine stores them."""
    found: dict[str, Recognised] = {}
    slots: dict[str, dict[int, tuple[int, str]]] = {}
    newest = 0
    for batch in batches:
        counted = count(batch, digest=digest, newest_ms=newest)
        newest = counted.newest_ms
        stored = {
            group: {number: load(text) for number, (_, text) in slots.get(group, {}).items()}
            for group in counted.groups
        }
        for id_, change in fold(counted, stored).items():
            found[id_] = _grown(found.get(id_), change)
        for group, each in stored.items():
            rule, _ = counted.groups[group]
            slots[group] = {number: (expires_ms(rule, number), slot.dump()) for number, slot in each.items()}
        for group, kept in slots.items():
            slots[group] = {number: one for number, one in kept.items() if one[0] >= newest}
    return found


def _grown(one: Recognised | None, change: Change) -> Recognised:
    one = one or Recognised(change.rule.id, 0, {}, [], [])
    evidence = change.evidence
    evidence.keep_evidence(one.earliest, one.latest)
    figures = {name: max(value, one.figures.get(name, 0)) for name, value in change.figures.items()}
    return Recognised(
        one.rule, one.count + change.count, {**one.figures, **figures}, evidence.earliest, evidence.latest
    )


def rules(*sightings: Sighting) -> set[str]:
    """Which rules these events meet."""
    return {one.rule for one in recognise([sightings]).values()}
