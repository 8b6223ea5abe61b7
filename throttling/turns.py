"""How a thread that serves requests in turn tells that it waits, so that meanwhile another may compute.

Whoever gives out the turns (`secure_auth/threads.py`) gives each of its threads one. Elsewhere all this is nothing.
"""

import math
import threading
import time
from collections.abc import Callable

FAR_SECONDS = 0.003
FORGOTTEN = 1.03  # what the quickest answer grows by with each that is slower


class Turn:
    """What one thread does now: since when it serves a request, and whether that waits."""

    def __init__(self, give: Callable[[], None]) -> None:
        self.give = give  # called when it begins to wait
        self.began = 0.0
        self.is_away = False


class _Own(threading.local):
    turn: Turn | None = None


_own = _Own()


def take(turn: Turn) -> None:
    """Called by a thread that serves requests in turn."""
    _own.turn = turn


class Store:
    """How far away a store is: what its quickest answer took of late.

    Not the usual one, for in that a busy process waits for itself: for the processor, and for Python's lock.
    """

    def __init__(self) -> None:
        self.quickest_seconds = math.inf

    @property
    def is_far(self) -> bool:
        """Whether a thread that waits for it leaves the time for another to compute."""
        return self.quickest_seconds > FAR_SECONDS

    def note(self, seconds: float) -> None:
        """An answer took so long."""
        self.quickest_seconds = min(seconds, self.quickest_seconds * FORGOTTEN)


class Away:
    """Around a wait, or a hash; around waiting for a store that is near its turn is kept."""

    __slots__ = ("_before", "_began", "_store")

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._before = False
        self._began = 0.0

    def __enter__(self) -> None:
        turn = _own.turn
        if turn is None:
            return
        self._before = turn.is_away
        if self._store:
            self._began = time.monotonic()
        if not self._before and (self._store is None or self._store.is_far):
            turn.is_away = True
            turn.give()

    def __exit__(self, error: object, *_: object) -> None:
        turn = _own.turn
        if turn is None:
            return
        turn.is_away = self._before
        if self._store and error is None:  # a connection that breaks at once says nothing of the distance
            self._store.note(time.monotonic() - self._began)
