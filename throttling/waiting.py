"""Waiting for what is under way, so that correct logins that arrive together are not refused because of one another.

Who tries the same as somebody else is trying now waits for that result instead of trying too. Who finds only
reservations in flight in the way stands in line, and only the first of a process's line asks the store. Waiting is no
weapon: at most one second, at most MOST_WAITERS a key and a quarter of the process's threads in all; who finds no place
is refused at once. No pooled connection is held while waiting.
"""

import random
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from django.conf import settings
from django.db import close_old_connections

from throttling import metrics
from throttling.headers import withdraw_usage
from throttling.limiter import decide
from throttling.reservations import Claim, LimitExceeded, Reservation
from throttling.turns import Away

WAIT_SECONDS = 1.0
PAUSE_SECONDS = 0.01
MOST_WAITERS = 64
Result = TypeVar("Result")
_moved = threading.Condition()
_lines: dict[Hashable, list[int]] = {}
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))  # of a thread that waited already


class _Run(Generic[Result]):
    """Something under way, and its result where that is for others too."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.result: Result | None = None


_runs: dict[bytes, _Run[object]] = {}


def run_or_follow(
    key: bytes, run: Callable[[], Result], *, is_for_all: Callable[[Result], bool]
) -> tuple[Result, bool]:
    """Do ``run``; but while another thread of this process does it under the same key, wait for what comes of that.

    Returns the result and whether it is this thread's own. What was not for all, did not come in time or found no place
    to wait is done here after all, within the second that waiting may take in all.
    """
    mine: _Run[object] = _Run()
    with _moved:
        found = _runs.setdefault(key, mine)
    if found is not mine:
        return _follow(found, key, run)
    try:
        result = run()
        if is_for_all(result):
            mine.result = result
        return result, True
    finally:
        with _moved:
            del _runs[key]
        mine.done.set()


def _follow(other: _Run[object], key: bytes, run: Callable[[], Result]) -> tuple[Result, bool]:
    deadline = time.monotonic() + WAIT_SECONDS
    with _place(key) as line:
        if line is not None:
            close_old_connections()
            with Away():
                other.done.wait(WAIT_SECONDS)
    if other.result is not None:
        return other.result, False  # type: ignore[return-value]
    token = _deadline.set(deadline)
    try:
        return run(), True
    finally:
        _deadline.reset(token)


def reserve_waiting(*claims: Claim) -> Reservation:
    """Like ``reserve``, but waits up to a second while only reservations in flight stand in the way."""
    return metrics.counted(_decide_waiting, claims)


def _decide_waiting(*claims: Claim) -> Reservation:
    deadline = min(_deadline.get(), time.monotonic() + WAIT_SECONDS)
    try:
        return decide(*claims)
    except LimitExceeded as error:
        refusal = error
    if not refusal.in_flight:
        raise refusal
    with _place(refusal.claim.bucket) as line:
        while line and refusal.in_flight and _comes_first(line, deadline):
            with Away():
                time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
            withdraw_usage(refusal.usage)
            try:
                return decide(*claims)
            except LimitExceeded as error:
                refusal = error
    raise refusal


@contextmanager
def _place(key: Hashable) -> Iterator[list[int] | None]:
    """Stand in the line of a key; None when there is no place."""
    me = threading.get_ident()
    with _moved:
        line = _lines.setdefault(key, [])
        waiting = sum(map(len, _lines.values()))
        if waiting < max(1, settings.SERVER_THREADS // 4) and len(line) < MOST_WAITERS:
            line.append(me)
    try:
        yield line if me in line else None
    finally:
        with _moved:
            if me in line:
                line.remove(me)
            if not line:
                _lines.pop(key, None)
            _moved.notify_all()


def _comes_first(line: list[int], deadline: float) -> bool:
    """Wait until this thread is the first in line; False when the time is over."""
    close_old_connections()
    with Away(), _moved:
        _moved.wait_for(lambda: line[0] == threading.get_ident(), deadline - time.monotonic())
        return line[0] == threading.get_ident() and time.monotonic() + PAUSE_SECONDS < deadline
