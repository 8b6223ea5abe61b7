"""How many connections each worker of a node holds, so that none takes most of them while another has nothing to do.

All workers wait at one socket, and whoever is awake first takes what comes: of twenty clients that keep their
connections, one worker of two got sixteen and more. Only workers on this machine read this; it is no secret and
decides nothing but who accepts.
"""

import mmap

EMPTY = -1  # a place without a worker


class Balance:
    """Counts that all workers forked from this process share, one place each."""

    def __init__(self, places: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * places)).cast("i")
        for place in range(places):
            self._counts[place] = EMPTY

    def join(self) -> int | None:
        """A place for a worker that is about to be forked; None when there is none, and it takes what it gets."""
        for place, count in enumerate(self._counts):
            if count == EMPTY:
                self._counts[place] = 0
                return place
        return None

    def leave(self, place: int | None) -> None:
        """Its worker has ended, however it did."""
        if place is not None:
            self._counts[place] = EMPTY

    def tell(self, place: int | None, connections: int) -> None:
        """What the worker at this place holds now."""
        if place is not None:
            self._counts[place] = connections

    def is_ahead(self, place: int | None) -> bool:
        """Whether another worker holds fewer."""
        return place is not None and any(EMPTY < count < self._counts[place] for count in self._counts)
