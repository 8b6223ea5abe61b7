"""Where a process writes its log lines, so that nobody who reads them can hold it up.

A collector that stops reading fills its pipe with some hundred lines, and who writes the next one waits for it: soon
every thread of the service, after a commit and before the answer. So what serves writes by a thread of its own.
MOST_WAITING lines wait for a slow reader; what comes then is dropped and counted, and the count is written when there
is room again. The database is the truth, a line a copy (docs/streaming.md).
"""

import errno
import io
import json
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

Line = str | Callable[[], str]  # what is called is rendered where it is written: no request takes the time

MOST_WAITING = 10_000
GATHER_SECONDS = 0.05  # that lines wait for others: a write for each takes as long as an event's insertion
FULL, FULL_SECONDS = (errno.ENOSPC, errno.EDQUOT), 0.1  # a disk that is full is asked again, as a pipe is
PIECE_BYTES = select.PIPE_BUF  # more than that would mix with the lines of other processes on one pipe


def rendered(line: Line) -> bytes:
    """The line's bytes with its end; of what cannot be rendered, that it was there."""
    try:
        text = line if isinstance(line, str) else line()
    except Exception as error:  # noqa: BLE001 - a line must fail nothing
        text = json.dumps({"event": "log.line_broken", "level": "error", "error": type(error).__name__})
    return f"{text}\n".encode(errors="backslashreplace")


class Writer:
    """A thread that writes, and the lines that wait for it. `send` takes bytes, may wait, and answers what it left."""

    def __init__(self, send: Callable[[bytes], bytes]) -> None:
        self._send = send
        self._waiting: deque[Line] = deque()
        self._lost = 0
        self._is_torn = False  # the last line: what was written ends in the midst of it
        self._is_writing = False
        self._there = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, line: Line) -> None:
        """Have a line written soon. Never waits for who reads it."""
        if len(self._waiting) >= MOST_WAITING:
            self._lose(1)
            return
        self._waiting.append(line)
        if not self._there.is_set():
            self._there.set()
        if self._thread is None:
            self._start()

    def finish(self, seconds: float) -> None:
        """Wait until all is written, or for so long."""
        until = time.monotonic() + seconds
        while (self._waiting or self._is_writing) and time.monotonic() < until:
            time.sleep(0.002)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._live, name="lines", daemon=True)
                with suppress(RuntimeError):  # no thread can be begun now: the next line tries again
                    thread.start()
                    self._thread = thread

    def _live(self) -> None:
        while True:
            self._there.wait()
            time.sleep(GATHER_SECONDS)
            self._there.clear()  # before what waits is taken: whatever comes after that sets it again
            self._is_writing = True
            with suppress(Exception):  # else nobody would ever write again
                self._write()
            self._is_writing = False

    def _write(self) -> None:
        """What waits now, and what was lost before: of a reader that is too slow for ever that is told too."""
        with self._lock:
            lost, self._lost = self._lost, 0
        piece = b""
        for _ in range(len(self._waiting)):
            line = rendered(self._waiting.popleft())
            if piece and len(piece) + len(line) > PIECE_BYTES:
                self._lose(self._left_of(piece))
                piece = b""
            piece += line
        self._lose(self._left_of(piece))
        if lost and self._left_of(_told_lost(lost)):
            self._lose(lost)

    def _left_of(self, piece: bytes) -> int:
        """Send lines; how many of them were not taken, or not whole: a file may not grow, a reader is gone."""
        data = b"\n" * self._is_torn + piece
        left = self._send(data)
        if taken := data[: len(data) - len(left)]:
            self._is_torn = not taken.endswith(b"\n")
        return min(left.count(b"\n"), piece.count(b"\n"))

    def _lose(self, lines: int) -> None:
        with self._lock:
            self._lost += lines


def _told_lost(lines: int) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    told = {"event": "log.lines_lost", "lines": lines, "level": "error", "logger": "lines", "timestamp": now}
    return f"{json.dumps(told)}\n".encode()


def send(data: bytes) -> bytes:
    """Write to standard output, and wait for its reader, or for room on its disk; what was not taken.

    What is closed fails nothing. Where that is a file, not by its Python object: a thread that waits in there holds its
    lock, and the process could not end.
    """
    with suppress(OSError, ValueError, AttributeError):
        try:
            number = sys.stdout.fileno()
        except io.UnsupportedOperation:  # a server's own, such as mod_wsgi's
            sys.stdout.write(data.decode())
            sys.stdout.flush()
            return b""
        while data:
            try:
                data = data[os.write(number, data) :]
            except BlockingIOError:  # whoever gave it to us made it so
                _has_room(number, None)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                time.sleep(FULL_SECONDS)
    return data


def _has_room(number: int, milliseconds: int | None) -> bool:
    """Whether a write of PIECE_BYTES would not wait."""
    waiting = select.poll()
    waiting.register(number, select.POLLOUT)
    return bool(waiting.poll(milliseconds))


class _Own:
    """Of this process. One that is forked begins with nothing that waits, and no thread."""

    stream = "stderr"  # a stream's name in `sys`, looked up for each line
    by_thread = False
    writer = Writer(send)


def _begin_anew() -> None:
    _Own.writer = Writer(send)


os.register_at_fork(after_in_child=_begin_anew)


def write_to_standard_output(*, by_thread: bool) -> None:
    """Called by what serves until it is stopped; what forks has no thread, and drops what finds no room."""
    _Own.stream, _Own.by_thread = "stdout", by_thread


def write(line: Line) -> None:
    """Have one line written. A closed, full or stuck stream fails nothing, and delays nothing that serves."""
    if _Own.by_thread:
        _Own.writer.put(line)
        return
    with suppress(OSError, ValueError, AttributeError):  # one that was closed before the start is None
        stream = getattr(sys, _Own.stream)
        if _Own.stream == "stderr" or _has_room(stream.fileno(), 0):
            stream.write(rendered(line).decode())  # one call a line, so that lines of threads do not mix
            stream.flush()


def finish(seconds: float = 1.0) -> None:
    """Before a process ends: wait until its lines are written, but not longer than that for who does not read them."""
    _Own.writer.finish(seconds)
