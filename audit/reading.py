"""Reading the log, newest first, page by page.

A page holds what is older or newer than a cursor's event, so events that arrive meanwhile neither repeat nor
hide a row. One filter drives the search through its own index; the others are judged on the rows it gives,
window by window; words that are rare are looked up in the text index. A search that has not filled its page after
BUDGET_SECONDS answers what it has, with a cursor to go on.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audit import textindex
from audit.filters import (
    DEFAULT_LIMIT,
    Filters,
    is_event_id,
    parse_filters,
    parse_limit,
    read_cursor,
    write_cursor,
)
from audit.queries import (
    fetch_entries,
    fetch_event,
    fetch_ranges,
    fetch_window,
    has_other_filters,
    is_driven,
)
from audit.records import Record

BUDGET_SECONDS: Final = 0.3
SMALLEST_WINDOW, FIRST_WINDOW, LAST_WINDOW = 100, 500, 8000
BLOCKS_FOUND, MOST_BLOCKS = 500, 30  # of the text index: found by one statement, searched by one
RARE: Final = 100  # in fewer than one event of so many
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, and the cursors of the pages with older (`next`) and newer (`previous`) ones."""

    results: tuple[Record, ...]
    next: str | None
    previous: str | None


def find_event(event_id: str) -> Record | None:
    """One event, or None."""
    return fetch_event(event_id) if is_event_id(event_id) else None


def find_entries(log: int, first: int, count: int) -> list[Record]:
    """The events of a range of a log's entries, without personal data; those whose bodies are gone are left out."""
    return fetch_entries(log, first, count)


def find_events(
    filters: Mapping[str, str] | None = None, *, cursor: str = "", limit: int | str = DEFAULT_LIMIT
) -> Page:
    """One page of the events that match all filters.

    Filters: type, outcome, reason, severity, user, ip, session, request_id, since, until (both inclusive), q (words,
    each found in any text of the event). A page may be short, even empty, while `next` says that more was not
    looked at yet.

    Raises:
        BadFilter: an unknown filter or a bad value, cursor or limit.
    """
    question, length = parse_filters(filters or {}), parse_limit(limit)
    comparison, at = read_cursor(cursor) if cursor else ("<", "~")
    records, reached = _search(question, comparison, at, length)
    back = write_cursor(_OPPOSITE[comparison], at)
    if comparison[0] == ">":
        older = write_cursor("<", records[0].id) if records else back
        return Page(tuple(records[::-1]), older, write_cursor(">", reached) if reached else None)
    newer = write_cursor(">", records[0].id) if records else back
    return Page(tuple(records), write_cursor("<", reached) if reached else None, newer if cursor else None)


def _search(question: Filters, comparison: str, at: str, length: int) -> tuple[list[Record], str | None]:
    """The events beyond `at`, nearest first, and the last id looked at when there may be more beyond it."""
    clock = _Clock(FIRST_WINDOW if has_other_filters(question) else length + 1)
    records: list[Record] = []
    grams: set[int] | None = None
    while True:
        window = fetch_window(question, comparison, at, size=clock.size, limit=length + 1 - len(records))
        records += window.records
        if len(records) > length:
            return records[:length], records[length - 1].id
        if window.looked_at < clock.size:
            return records, None
        comparison, at = comparison[0], window.edge
        clock.note(window.looked_at)
        # Of what is not, the index would name most blocks, and take longer for that than it takes to find a page.
        is_rare = len(window.records) * RARE < window.looked_at
        if is_rare and grams is None:
            grams = _indexed_grams(question) if comparison == "<" else set()
        if is_rare and grams and not clock.is_over():
            found, at, is_end = _search_blocks(question, grams, at, length + 1 - len(records), clock)
            records += found
            if len(records) > length:
                return records[:length], records[length - 1].id
            if is_end:
                return records, None
        if clock.is_over():
            return records, at


class _Clock:
    """How long the search has taken, and how many ids fit into what is left: slow disks get small windows."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._began = self._last = time.monotonic()

    def is_over(self) -> bool:
        """Whether the search has to answer."""
        return self._last - self._began >= BUDGET_SECONDS

    def note(self, looked_at: int) -> None:
        """A window was looked at."""
        now = time.monotonic()
        a_second = looked_at / max(now - self._last, 1e-6)
        left = BUDGET_SECONDS - (now - self._began)
        self._last = now
        self.size = max(SMALLEST_WINDOW, min(self.size * 4, LAST_WINDOW, int(a_second * left * 0.7)))


def _indexed_grams(question: Filters) -> set[int]:
    """What the text index can look for; nothing where another index leads to fewer events."""
    if not question.words or is_driven(question) or not textindex.is_available():
        return set()
    return textindex.grams_of(question.words)


def _search_blocks(
    question: Filters, grams: set[int], at: str, limit: int, clock: _Clock
) -> tuple[list[Record], str, bool]:
    """Go back through those blocks of the text index that may hold all words: matches, the id reached, is that the end?

    What is not in blocks yet is left to windows.
    """
    if at > textindex.frontier():
        return [], at, False
    records: list[Record] = []
    blocks: list[textindex.Range] = []
    is_last = False
    while not clock.is_over():
        if not blocks and not is_last:
            blocks = textindex.find_blocks(sorted(grams), at, BLOCKS_FOUND)
            is_last = len(blocks) < BLOCKS_FOUND
        count = max(1, min(clock.size // textindex.BLOCK, MOST_BLOCKS))
        some, blocks = blocks[:count], blocks[count:]
        if some:
            records += fetch_ranges(question, some, at, limit=limit - len(records))
            at = some[-1][0]
        if len(records) >= limit or (is_last and not blocks) or at <= question.lowest:
            return records, at, True
        clock.note(len(some) * textindex.BLOCK)
    return records, at, False
