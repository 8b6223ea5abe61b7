"""The threads of a web worker: which of them serves the next request, and how many of them compute at once.

Only one thread at a time executes Python, and each that waits for its turn costs the one that has it: with twenty busy
clients a tenth of all work. So a request waits in line while AT_ONCE others are being computed. Whatever takes longer
than PATIENCE_SECONDS, or says that it waits or works elsewhere (`turns.step_aside`), no longer counts as one of them: a
slow database, an export or a hash holds nobody up.
"""

import threading
import time
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from secure_auth.turns import take_turns

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
    request that ends, by one that steps aside, and by time, which `look` notices.
    """

    queue_cv: LastIn

    def __init__(self) -> None:
        super().__init__()
        self.queue_cv = LastIn(self.lock)
        self._began: dict[int, float] = {}  # by thread, when it began what it computes now

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
        take_turns(lambda: self._step_aside(thread_no))
        while True:
            with self.lock:
                self._began.pop(thread_no, None)
                while self.stop_count == 0 and not (self.queue and self._room() > 0):
                    self.queue_cv.wait()
                if self.stop_count > 0:
                    self.stop_count -= 1
                    self.threads.discard(thread_no)
                    self.thread_exit_cv.notify()
                    return
                task = self.queue.popleft()
                self._began[thread_no] = time.monotonic()
            try:
                task.service()
            except BaseException:
                self.logger.exception("Exception when servicing %r", task)

    def _step_aside(self, thread_no: int) -> None:
        with self.lock:
            if self._began.pop(thread_no, None) is not None:
                self._call()

    def _room(self) -> int:
        since = time.monotonic() - PATIENCE_SECONDS
        return AT_ONCE - self.queue_cv.woken - sum(began > since for began in self._began.values())

    def _call(self) -> None:
        for _ in range(min(len(self.queue), self._room())):
            self.queue_cv.notify()
