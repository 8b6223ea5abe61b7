"""Waiting for reservations in flight, so that correct logins that arrive together are not refused because of one
another.

Waiters of a bucket stand in line, and only the first of a process's line asks the store. Waiting is no weapon: at most
one second, at most MOST_WAITERS a bucket and a quarter of the process's threads in all; who finds no place is refused
at once. No pooled connection is held while waiting.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import close_old_connections

from throttling import metrics
from throttling.limiter import decide
from throttling.reservations import Claim, LimitExceeded, Reservation

WAIT_SECONDS = 1.0
PAUSE_SECONDS = 0.01
MOST_WAITERS = 64
_moved = threading.Condition()
_lines: dict[tuple[str, str, str], list[int]] = {}


def reserve_waiting(*claims: Claim) -> Reservation:
    """Like ``reserve``, but waits up to a second while only reservations in flight stand in the way."""
    with metrics.decision(claims):
        return _decide_waiting(claims)


def _decide_waiting(claims: tuple[Claim, ...]) -> Reservation:
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        return decide(*claims)
    except LimitExceeded as error:
        refusal = error
    with _place(refusal) as line:
        while line and refusal.in_flight and _comes_first(line, deadline):
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
            try:
                return decide(*claims)
            except LimitExceeded as error:
                refusal = error
    raise refusal


@contextmanager
def _place(refusal: LimitExceeded) -> Iterator[list[int] | None]:
    """Stand in the line of the bucket that refused; None when there is no place."""
    bucket, me = refusal.claim.bucket, threading.get_ident()
    with _moved:
        line = _lines.setdefault(bucket, [])
        is_free = (
            sum(map(len, _lines.values())) < max(1, settings.SERVER_THREADS // 4) and len(line) < MOST_WAITERS
        )
        if is_free and refusal.in_flight:
            line.append(me)
    try:
        yield line if me in line else None
    finally:
        with _moved:
            if me in line:
                line.remove(me)
            if not line:
                _lines.pop(bucket, None)
            _moved.notify_all()


def _comes_first(line: list[int], deadline: float) -> bool:
    """Wait until this thread is the first in line; False when the time is over."""
    close_old_connections()
    with _moved:
        _moved.wait_for(lambda: line[0] == threading.get_ident(), deadline - time.monotonic())
        return line[0] == threading.get_ident() and time.monotonic() + PAUSE_SECONDS < deadline
