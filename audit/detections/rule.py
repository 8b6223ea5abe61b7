"""What a rule is, and what it sees of an event.

A rule counts events of one account, source, session or login (or of the whole service) in a sliding window, weighted
and by distinct values, and is reached where one of its sets of thresholds is. More events never unmake what fewer made,
so that the order in which they come does not matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from audit.events import EventType, Severity
from audit.vocabulary import DetectionRule

MOST_DISTINCT: Final = 64  # above every threshold; a figure of 64 means 64 or more
SLOTS: Final = 6  # parts of a window: counted is at least the window and at most a sixth more
DAY_MS: Final = 86_400_000


class Kind(StrEnum):
    """What a rule keeps a count of its own for."""

    ACCOUNT = "account"
    SOURCE = "source"  # an IPv4 address or an IPv6 /64
    SESSION = "session"
    LOGIN = "login"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An event, or the count that a log.collapsed tells of, as the rules see it.

    `time_ms` is Unix time, of a collapsed flood that of its first event. `account` is an account's id, or the keyed
    hash of an identifier that matched none.
    """

    id: str
    time_ms: int
    type: str
    outcome: str
    reason: str
    details: Mapping[str, Any]
    session: str = ""
    account: str = ""
    source: str = ""
    times: int = 1

    def value(self, kind: Kind) -> str:
        """What it is about, of one kind; empty where it says nothing of that."""
        match kind:
            case Kind.ACCOUNT:
                return self.account
            case Kind.SOURCE:
                return self.source
            case Kind.SESSION:
                return self.session
            case Kind.LOGIN:
                return str(self.details.get("login") or "")
            case Kind.SERVICE:
                return "service"


Predicate = Callable[[Sighting], bool]


class Figure(int):
    """A number that brings its noun: `{sources:source|sources}` is "1 source" or "2 sources"."""

    def __format__(self, forms: str) -> str:
        one, _, many = forms.partition("|")
        return f"{int(self)} {one if self == 1 else many}" if many else format(int(self), forms)


class Distinct(Figure):
    """A number of distinct values, of which MOST_DISTINCT are told apart: so many or more are "64+ sources"."""

    def __format__(self, forms: str) -> str:
        told = super().__format__(forms)
        return told if self < MOST_DISTINCT else told.replace(f"{int(self)}", f"{int(self)}+", 1)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. Of `counts` and `distinct`, together its figures, every minimum of one set in `reached` must be met.

    `in_order` names two counts: an event of the first must stand before one of the second. `why` is filled with the
    figures.
    """

    id: DetectionRule
    severity: Severity
    title: str
    why: str
    by: Kind
    window_seconds: int
    types: frozenset[EventType]
    counts: Mapping[str, Predicate]
    distinct: Mapping[str, tuple[Kind, Predicate]] = field(default_factory=dict)
    reached: tuple[Mapping[str, int], ...]
    in_order: tuple[str, str] | None = None

    @cached_property
    def slot_ms(self) -> int:
        """The length of a slot in milliseconds."""
        return self.window_seconds * 1000 // SLOTS

    def counted(self, sighting: Sighting) -> list[str]:
        """The counts that an event adds to."""
        return [name for name, fits in self.counts.items() if fits(sighting)]

    def told_apart(self, sighting: Sighting) -> list[tuple[str, str]]:
        """The distinct values that an event adds, by figure."""
        found = (
            (name, sighting.value(kind)) for name, (kind, fits) in self.distinct.items() if fits(sighting)
        )
        return [(name, value) for name, value in found if value]

    def figures(self, counted: Mapping[str, int]) -> dict[str, Figure]:
        """What fills `why`: each figure, 0 where nothing was counted."""
        counts = {name: Figure(counted.get(name, 0)) for name in self.counts}
        return counts | {name: Distinct(counted.get(name, 0)) for name in self.distinct}
