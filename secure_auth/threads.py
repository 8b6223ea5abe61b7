"""Which of the idle threads of a web worker serves the next request."""

import threading


class LastIn:
    """A condition on a lock that wakes who began to wait last: the thread whose memory and connection are still warm.

    Python's own wakes who has waited longest, so that each request would be served by the coldest thread of all.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._waiting: list[threading.Lock] = []

    def wait(self) -> None:
        """With the lock held, as for the others; it is given back meanwhile."""
        called = threading.Lock()
        called.acquire()
        self._waiting.append(called)
        self._lock.release()
        try:
            called.acquire()
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        """Wake one."""
        if self._waiting:
            self._waiting.pop().release()

    def notify_all(self) -> None:
        """Wake all."""
        while self._waiting:
            self.notify()
