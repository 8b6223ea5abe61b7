"""Reading in the order of the tree, oldest first: for followers, who must not miss an event.

Ids and times do not follow the order of commits: an event may appear behind one that a reader has seen. Places in the
tree are given once and never in between, so a cursor names a place. A restore gives places again: a cursor onward also
bears a mark of what stood at its place.
"""

import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audit.filters import DEFAULT_LIMIT, BadFilter, Filters, parse_filters, parse_limit
from audit.queries import LOG_SHIFT, Placed, fetch_placed
from audit.reading import BUDGET_SECONDS, Page
from audit.records import Record
from audit.tree import current_head, leaf_hash_at

FIRST_WINDOW, LAST_WINDOW = 1_000, 16_000
MARK_BYTES: Final = 8  # of the leaf hash: it tells histories apart, and proves nothing
_CURSOR: Final = re.compile(r"([<>])([0-9]{1,18})(?:\.([0-9a-f]{16}))?")


def follow_events(
    filters: Mapping[str, str] | None = None, *, cursor: str = "", limit: int | str = DEFAULT_LIMIT
) -> Page:
    """One page of the integrated events that match all filters, oldest first.

    `next` is None at the end of the log; whoever asks for the last page again finds there what came since. A page
    may be short, even empty, while `next` says that more was not looked at yet.

    Raises:
        BadFilter: an unknown filter or a bad value, cursor or limit.
    """
    question, length = parse_filters(filters or {}), parse_limit(limit)
    comparison, at = read_position(cursor) if cursor else (">", 0)
    found, reached = _search(question, comparison, at, length)
    results = tuple(one.record for one in found)
    if comparison == "<":
        later = _onward(found[0].position if found else max(at - 1, 0))
        return Page(results[::-1], later, _write("<", reached) if reached else None)
    earlier = _write("<", found[0].position if found else at + 1) if cursor else None
    return Page(results, _onward(reached) if reached else None, earlier)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came since a cursor, oldest first, and where to go on; `is_behind` where more waits."""

    results: tuple[Record, ...]
    cursor: str
    is_behind: bool


def end_cursor() -> str:
    """The cursor behind the last entry of the log."""
    head = current_head()
    return _write(">", head.log * LOG_SHIFT + head.size - 1 if head else 0)


def arrived(filters: Mapping[str, str], *, cursor: str, limit: int) -> Arrived:
    """What matches among the next LAST_WINDOW entries behind a cursor: one statement, however much came.

    Raises:
        BadFilter: an unknown filter or a bad value or cursor.
    """
    comparison, at = read_position(cursor)
    if comparison != ">":
        raise BadFilter("cursor", "not a cursor of this direction")
    window = fetch_placed(parse_filters(filters), ">", at, size=LAST_WINDOW, limit=limit)
    is_full = len(window.found) == limit
    reached = window.found[-1].position if is_full else window.edge
    records = tuple(one.record for one in window.found)
    return Arrived(records, _write(">", reached), is_full or window.looked_at == LAST_WINDOW)


def _search(question: Filters, comparison: str, at: int, length: int) -> tuple[list[Placed], int | None]:
    """What lies beyond `at`, nearest first, and the last place looked at when there may be more beyond it."""
    deadline = time.monotonic() + BUDGET_SECONDS
    size = FIRST_WINDOW if question.narrows else length + 1
    found: list[Placed] = []
    while True:
        window = fetch_placed(question, comparison, at, size=size, limit=length + 1 - len(found))
        found += window.found
        if len(found) > length:
            return found[:length], found[length - 1].position
        if window.looked_at < size:
            return found, None
        at = window.edge
        if time.monotonic() > deadline:
            return found, at
        size = min(size * 4, LAST_WINDOW)


def _onward(position: int) -> str:
    mark = _mark(position)
    return _write(">", f"{position}.{mark}" if mark else position)


def _mark(position: int) -> str:
    return leaf_hash_at(*divmod(position, LOG_SHIFT))[:MARK_BYTES].hex()


def _write(comparison: str, position: int | str) -> str:
    return base64.urlsafe_b64encode(f"{comparison}{position}".encode()).decode().rstrip("=")


def read_position(cursor: str) -> tuple[str, int]:
    """The comparison and the position of a cursor; the log's beginning where its place holds another entry, or none.

    Then a restore took away what stood there. How far back is not known, and a follower may get an event twice, but
    must miss none.

    Raises:
        BadFilter: it is none of this order.
    """
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = _CURSOR.fullmatch(text)
    if not found:
        raise BadFilter("cursor", "not a cursor of this order")
    comparison, position, mark = found[1], int(found[2]), found[3]
    if mark and mark != _mark(position):
        return ">", 0
    return comparison, position
