"""Reading the log, newest first, page by page.

A page holds what is older or newer than a cursor's event, so events that arrive meanwhile neither repeat nor
hide a row. One filter drives the search through its own index; the others are judged on the rows it gives,
window by window. A search that has not filled its page after BUDGET_SECONDS answers what it has, with a
cursor to go on.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audit.filters import (
    DEFAULT_LIMIT,
    Filters,
    is_event_id,
    parse_filters,
    parse_limit,
    read_cursor,
    write_cursor,
)
from audit.queries import fetch_entries, fetch_event, fetch_window, has_other_filters
from audit.records import Record

BUDGET_SECONDS: Final = 0.3
FIRST_WINDOW, LAST_WINDOW = 500, 8000
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

    Filters: type, outcome, severity, user, ip, session, request_id, since, until (both inclusive), q (words,
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
    deadline = time.monotonic() + BUDGET_SECONDS
    size = FIRST_WINDOW if has_other_filters(question) else length + 1
    records: list[Record] = []
    while True:
        window = fetch_window(question, comparison, at, size=size, limit=length + 1 - len(records))
        records += window.records
        if len(records) > length:
            return records[:length], records[length - 1].id
        if window.looked_at < size:
            return records, None
        comparison, at = comparison[0], window.edge
        if time.monotonic() > deadline:
            return records, at
        size = min(size * 4, LAST_WINDOW)
