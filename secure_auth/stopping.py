"""Signals that ask a process to stop: held while it forks, and remembered when they come. And the end of listening."""

import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SO_ATTACH_FILTER = 26  # Linux, socket(7)
NO_SYN = (  # classic BPF over a TCP header (RFC 9293 section 3.1): code, where to go if true and if false, operand
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # of them ACK and SYN
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # take it
)


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


def let_nobody_begin(listener: socket.socket) -> None:
    """Have the kernel drop what begins a connection, so that none comes between the last accept and the close.

    That one would be reset, and its client may have sent a request already. Whoever is dropped asks again after a
    second, and is refused then. Where the kernel has no such filter, that moment stays.
    """
    steps = b"".join(struct.pack("HBBI", *step) for step in NO_SYN)
    held = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("HP", len(NO_SYN), ctypes.addressof(held))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
