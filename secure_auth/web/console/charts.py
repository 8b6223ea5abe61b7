"""Charts as SVG: the geometry of bars over time. Templates draw it, a table beside it tells the same in numbers.

Times are UTC. A bar leads to its span of time; scripts read its bounds from that address.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from audit.summary import BUCKETS
from audit.validation import rfc3339

WIDTH, HEIGHT, GAP = 1000, 200, 0.16  # of the view box; the part of a bar's place that stays free
MINUTES_UP_TO: Final = timedelta(hours=2)
HOURS_UP_TO: Final = timedelta(days=8)
LABELS: Final = 3
LAST_LABEL: Final = 0.75  # of the width: one that begins later would end outside

Count = Mapping[str, Any]
Choose = Callable[[Count], bool]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket: what it holds, and where its two parts (the chosen below, the marked above) are drawn."""

    since: str
    until: str
    start: datetime
    x: float
    width: float
    plain: int
    marked: int
    plain_y: float
    plain_height: float
    marked_y: float
    marked_height: float

    @property
    def total(self) -> int:
        """Both parts."""
        return self.plain + self.marked

    @property
    def center(self) -> float:
        """The middle of its width."""
        return round(self.x + self.width / 2, 2)


@dataclass(frozen=True, slots=True)
class Label:
    """When a bar begins, told below its left edge; `percent` of the width."""

    moment: datetime
    percent: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over a span; `top` is what the full height stands for."""

    bars: list[Bar]
    labels: list[Label]
    bucket: str
    since: str
    until: str
    top: int

    @property
    def seconds(self) -> int:
        """How long a bar is."""
        return BUCKETS[self.bucket]

    @property
    def plain(self) -> int:
        """All that is not marked."""
        return sum(bar.plain for bar in self.bars)

    @property
    def marked(self) -> int:
        """All that is marked."""
        return sum(bar.marked for bar in self.bars)

    @property
    def total(self) -> int:
        """Both."""
        return self.plain + self.marked

    @property
    def filled(self) -> list[Bar]:
        """Those that hold something, newest first: the rows of the table."""
        return [bar for bar in reversed(self.bars) if bar.total]

    @property
    def line(self) -> str:
        """The totals as points of a polyline."""
        return " ".join(
            f"{bar.center},{round(HEIGHT - HEIGHT * bar.total / self.top, 2)}" for bar in self.bars
        )


def bucket_for(span: timedelta) -> str:
    """How long the buckets of a span are, so that there are neither too few bars nor too many."""
    return "minute" if span <= MINUTES_UP_TO else "hour" if span <= HOURS_UP_TO else "day"


def draw(summary: Mapping[str, Any], plain: Choose, marked: Choose = lambda _: False) -> Chart:
    """The counts of `audit/summary/` that are chosen, as bars; what is `marked` is not counted as `plain` too."""
    counted = [_split(bucket["counts"], plain, marked) for bucket in summary["results"]]
    top = max([1, *(sum(parts) for parts in counted)])
    place = WIDTH / max(1, len(counted))
    length = timedelta(seconds=BUCKETS[summary["bucket"]])
    starts = [datetime.fromisoformat(bucket["start"]) for bucket in summary["results"]]
    bars = [
        _bar(start, length, number * place, place, parts, top)
        for number, (start, parts) in enumerate(zip(starts, counted, strict=True))
    ]
    return Chart(bars, _labels(bars), summary["bucket"], summary["since"], summary["until"], top)


def _labels(bars: Sequence[Bar]) -> list[Label]:
    """Labels of a few bars, evenly apart, each where its bar is drawn."""
    step = max(1, -(-len(bars) // LABELS))
    return [
        Label(bar.start, round(100 * bar.x / WIDTH, 2)) for bar in bars[::step] if bar.x <= WIDTH * LAST_LABEL
    ]


def _split(counts: Sequence[Count], plain: Choose, marked: Choose) -> tuple[int, int]:
    is_marked = [(marked(count), count) for count in counts]
    return (
        sum(count["events"] for flag, count in is_marked if not flag and plain(count)),
        sum(count["events"] for flag, count in is_marked if flag),
    )


def _bar(start: datetime, length: timedelta, x: float, place: float, parts: tuple[int, int], top: int) -> Bar:
    low, high = (round(HEIGHT * part / top, 2) for part in parts)
    return Bar(
        since=f"{start.astimezone(UTC):%Y-%m-%dT%H:%MZ}",
        until=rfc3339((start + length - timedelta(milliseconds=1)).astimezone(UTC)),
        start=start,
        x=round(x + place * GAP / 2, 2),
        width=round(place * (1 - GAP), 2),
        plain=parts[0],
        marked=parts[1],
        plain_y=round(HEIGHT - low, 2),
        plain_height=low,
        marked_y=round(HEIGHT - low - high, 2),
        marked_height=high,
    )
