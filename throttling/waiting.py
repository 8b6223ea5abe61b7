"""Waiting for reservations in flight, so that correct logins that arrive together are not refused because
of one another.

Waiting is no weapon: at most one second, at most MOST_WAITERS a bucket and a quarter of the process's
threads in all; who finds no seat is refused at once. No pooled connection is held while waiting.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import close_old_connections

from throttling.limiter import reserve
from throttling.reservations import Claim, LimitExceeded, Reservation

WAIT_SECONDS = 1.0
MOST_WAITERS = 64
_lock = threading.Lock()
_waiters: Counter[tuple[str, str, str]] = Counter()


def reserve_waiting(*claims: Claim) -> Reservation:
    """Like ``reserve``, but waits up to a second while only reservations in flight stand in the way."""
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        return reserve(*claims)
    except LimitExceeded as error:
        refusal = error
    with _seat(refusal) as seated:
        pause = 0.01
        while seated and refusal.in_flight and time.monotonic() + pause < deadline:
            close_old_connections()
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 1.5, 0.05)
            try:
                return reserve(*claims)
            except LimitExceeded as error:
                refusal = error
    raise refusal


@contextmanager
def _seat(refusal: LimitExceeded) -> Iterator[bool]:
    bucket = refusal.claim.bucket
    with _lock:
        seated = (
            refusal.in_flight
            and _waiters[bucket] < MOST_WAITERS
            and _waiters.total() < max(1, settings.SERVER_THREADS // 4)
        )
        _waiters[bucket] += seated
    try:
        yield seated
    finally:
        with _lock:
            _waiters[bucket] -= seated
            if not _waiters[bucket]:
                del _waiters[bucket]
