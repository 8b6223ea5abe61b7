"""The threads of a web worker: which of them serves the next request, and how many of them compute at once.

Only one thread at a time executes Python, and each that waits for its turn costs the one that has it: with twenty busy
clients a tenth of all work. So a request waits in line while AT_ONCE others are being computed. One that hashes, stands
in a line or waits for a store that is not near (`throttling.turns`) is not among them, nor is one that takes longer
than PATIENCE_SECONDS, whatever it does: neither holds anybody up.
"""

import threading
import time
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from throttling import turns
from throttling.turns import Turn

AT_ONCE = 3
PATIENCE_SECONDS = 0.025


class LastIn:
    """A condition on a lock that wakes who began to wait last: the thread whose memory and connection are still warm.

    Python's own wakes who has waited longest, so that each request would be served by the coldest thread of all.
    `woken` is how many were called and do not hold the lock yet.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._waiting: list[threading.Lock] = []
        self.woken = 0

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
            self.woken -= 1

    def notify(self) -> None:
        """Wake one."""
        if self._waiting:
            self.woken += 1
            self._waiting.pop().release()

    def notify_all(self) -> None:
        """Wake all."""
        while self._waiting:
            self.notify()


class Threads(ThreadedTaskDispatcher):
    """waitress's threads, which take up what stands in line in turn.

    Invariant: while somebody stands in line and there is room, a thread is called or looks itself. Room is made by a
    request that ends, by one that waits, and by time, which `look` notices.
    """

    queue_cv: LastIn

    def __init__(self) -> None:
        super().__init__()
        self.queue_cv = LastIn(self.lock)
        self._serving: set[Turn] = set()

    def add_task(self, task: Any) -> None:
        """Called by the loop: a request is whole."""
        with self.lock:
            self.queue.append(task)
            self._call()

    def look(self) -> bool:
        """Called by the loop before it waits; True when it should look again in PATIENCE_SECONDS."""
        if not self.queue:
            return False
        with self.lock:
            self._call()
        return True

    def handler_thread(self, thread_no: int) -> None:
        """The life of one thread."""
        turn = Turn(self._give)
        turns.take(turn)
        while True:
            with self.lock:
                self._serving.discard(turn)
                while self.stop_count == 0 and not (self.queue and self._room() > 0):
                    self.queue_cv.wait()
                if self.stop_count > 0:
                    self.stop_count -= 1
                    self.threads.discard(thread_no)
                    self.thread_exit_cv.notify()
                    return
                task = self.queue.popleft()
                turn.began, turn.is_away = time.monotonic(), False
                self._serving.add(turn)
            try:
                task.service()
            except BaseException:
                self.logger.exception("Exception when servicing %r", task)

    def _give(self) -> None:
        if self.queue:
            with self.lock:
                self._call()

    def _room(self) -> int:
        since = time.monotonic() - PATIENCE_SECONDS
        computing = sum(turn.began > since and not turn.is_away for turn in self._serving)
        return AT_ONCE - self.queue_cv.woken - computing

    def _call(self) -> None:
        for _ in range(min(len(self.queue) - self.queue_cv.woken, self._room())):
            self.queue_cv.notify()
