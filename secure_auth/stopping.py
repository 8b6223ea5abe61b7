"""Signals that ask a process to stop: held while it forks, and remembered when they come."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """A signal between a fork and the child's own handlers waits for them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        release_signals()


def release_signals() -> None:
    """Hear what was held, and what comes."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class Stop:
    """Whether a stop was asked for. Signal handlers may ask, however many come at once, and any thread may wait.

    `threading.Event` is none: its `set` takes a lock, and a signal that interrupts who holds it would wait for ever.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._is_asked_for = False

    def set(self) -> None:
        """Ask for it."""
        if not self._is_asked_for:
            self._is_asked_for = True
            os.write(self._writing, b".")

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Wait until it is asked for, for so long at most; whether it was."""
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
