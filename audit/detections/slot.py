"""What one rule counted of one group in one slot, and what several slots make together.

Everything here is a sum, a minimum, a maximum or the least of a set, so that neither the order of events nor how they
were divided into batches shows in the result. A slot's size is bounded, whatever a flood sends: of distinct values the
MOST_DISTINCT with the lowest digests are kept, of events the ids of the EVIDENCE earliest and latest.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from audit.detections.rule import MOST_DISTINCT, Rule, Sighting

EVIDENCE: Final = 10
DIGEST_LENGTH: Final = 16
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass
class Slot:
    """`total` counts the events; `told` says by day how many of them its detection has been told of."""

    counts: dict[str, int] = field(default_factory=dict)
    distinct: dict[str, list[str]] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    total: int = 0
    earliest: list[str] = field(default_factory=list)
    latest: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)

    def add(self, counted: Iterable[str], told_apart: Iterable[tuple[str, str]], sighting: Sighting) -> None:
        """Count one event; `told_apart` are the digests of its distinct values by figure."""
        event = sighting.id
        self.total += sighting.times
        for name in counted:
            self.counts[name] = self.counts.get(name, 0) + sighting.times
            self.first[name] = min(event, self.first.get(name, event))
            self.last[name] = max(event, self.last.get(name, event))
        for name, value in told_apart:
            self.distinct[name] = least({*self.distinct.get(name, ()), value}, MOST_DISTINCT)
        self.keep_evidence([event], [event])

    def merge(self, other: "Slot") -> None:
        """Add what another slot counted."""
        self.total += other.total
        for name, count in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
            self.first[name] = min(other.first[name], self.first.get(name, other.first[name]))
            self.last[name] = max(other.last[name], self.last.get(name, other.last[name]))
        for name, values in other.distinct.items():
            self.distinct[name] = least({*self.distinct.get(name, ()), *values}, MOST_DISTINCT)
        self.keep_evidence(other.earliest, other.latest)

    def keep_evidence(self, earliest: Iterable[str], latest: Iterable[str]) -> None:
        """Keep the ids of the first and the latest events."""
        self.earliest = least({*self.earliest, *earliest}, EVIDENCE)
        self.latest = greatest({*self.latest, *latest}, EVIDENCE)

    def figures(self) -> dict[str, int]:
        """The counts and the numbers of distinct values."""
        return {**self.counts, **{name: len(values) for name, values in self.distinct.items()}}

    def reaches(self, rule: Rule) -> bool:
        """Whether the rule is met."""
        figures = self.figures()
        if not any(
            all(figures.get(name, 0) >= least_of for name, least_of in minima.items())
            for minima in rule.reached
        ):
            return False
        if rule.in_order is None:
            return True
        before, after = rule.in_order
        return self.first[before] < self.last[after]

    def dump(self) -> str:
        """As it is stored."""
        return _encode(vars(self))


def load(text: str) -> Slot:
    """A slot as dump() wrote it."""
    found: dict[str, Any] = json.loads(text)
    return Slot(**found)


def together(slots: Sequence[Slot]) -> Slot:
    """What slots counted between them; not to be changed, it may be one of them."""
    if len(slots) == 1:
        return slots[0]
    whole = Slot()
    for slot in slots:
        whole.merge(slot)
    return whole


def least(values: Iterable[str], count: int) -> list[str]:
    """The lowest, ascending."""
    return sorted(values)[:count]


def greatest(values: Iterable[str], count: int) -> list[str]:
    """The highest, ascending."""
    return sorted(values)[-count:]
