"""Refusals that were repeated from memory, counted here and written to the log once a second.

What a flood costs the service must not grow with the flood, so such a refusal takes no database call of its own. Its
first of a window is in the log already. A process that is killed loses the count of its last second, no event.
"""

import atexit
import threading
from dataclasses import replace

from django.db import Error, close_old_connections, connections, transaction

from audit.append import NewEvent, append_collapsed
from audit.tallies import source_of

FLUSH_SECONDS = 1.0
_lock = threading.Lock()
_counted: dict[tuple[str, str, str], tuple[NewEvent, int]] = {}
_stopping = threading.Event()
_writer: threading.Thread | None = None


def count(event: NewEvent, *, key: str, by_source: bool = True) -> None:
    """Add one event that is like one already written."""
    global _writer
    flood = (key, event.reason, source_of(event.source.ip) if by_source else "")
    with _lock:
        _, before = _counted.get(flood, (event, 0))
        _counted[flood] = (event, before + 1)
        if _writer is None:
            _writer = threading.Thread(target=_write_until_still, name="floods", daemon=True)
            _writer.start()


def flush() -> int:
    """Write what was counted; how many events that were. What cannot be written now is written later."""
    written = 0
    for flood in list(_counted):
        with _lock:
            event, times = _counted.pop(flood, (None, 0))
        if event is None:
            continue
        try:
            with transaction.atomic():
                append_collapsed(_without_person(event), key=flood[0], times=times, by_source=bool(flood[2]))
        except BaseException as error:
            with _lock:
                _, since = _counted.get(flood, (event, 0))
                _counted[flood] = (event, since + times)
            if not isinstance(error, Error):
                raise
        else:
            written += times
    return written


def _without_person(event: NewEvent) -> NewEvent:
    """Many accounts may be behind a count; none of them is named by it."""
    return replace(event, user="", subject="", session="")


def _write_until_still() -> None:
    """Flush every second, until a second brought nothing."""
    global _writer
    try:
        while not _stopping.wait(FLUSH_SECONDS):
            flush()
            close_old_connections()
            with _lock:
                if not _counted:
                    _writer = None
                    return
    finally:
        connections.close_all()
        with _lock:
            if _writer is threading.current_thread():
                _writer = None  # a mistake of ours ended it: the next refusal begins another


@atexit.register
def _finish() -> None:
    _stopping.set()
    if _writer is not None:
        _writer.join(timeout=2)
        flush()
