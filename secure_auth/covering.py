"""Before anything is removed from the log, the event that covers it must be an entry of the tree, under a checkpoint.

An export ends with the newest checkpoint: to who judges one that lacks the event, what it covers is missing.
"""

import time
from collections.abc import Sequence

from audit import checkpoints, merkle, tree
from audit.tree import Head, Torn
from secure_auth import integration
from secure_auth.acting import Refused
from secure_auth.integration import Logbook

WAIT_SECONDS = 30.0
PAUSE_SECONDS = 0.1


def require_sound_log() -> None:
    """Ask this before such an event is appended: one that was refused would become an entry under the next log.

    Raises:
        Refused: the log can't go on. The caller has written nothing yet.
    """
    head = tree.current_head()
    trouble = integration.find_trouble(head) if head else None
    why = (
        trouble.why if trouble else "its stored hashes contradict its head" if head and _is_torn(head) else ""
    )
    if why:
        raise Refused(f"the log does not go on ({why}): nothing was removed. See new_log")


def _is_torn(head: Head) -> bool:
    """What an integrator would find before it adds anything."""
    try:
        return merkle.load_edge(head.size, tree.reader(head.log)).root() != head.root
    except Torn:
        return True


def integrate(events: Sequence[str]) -> None:
    """Return when all these events have signed entries; this process does that too, so that no worker needs to run.

    Raises:
        Refused: the log can't go on, or does not get there in WAIT_SECONDS. The caller has removed nothing yet.
    """
    book, deadline, left = Logbook(), time.monotonic() + WAIT_SECONDS, list(events)
    while left := [event for event in left if not _is_signed(event)]:
        require_sound_log()
        if time.monotonic() > deadline:
            raise Refused(
                f"the event that covers this is no signed entry of the log after {WAIT_SECONDS:.0f} s: nothing was "
                "removed. Run this again"
            )
        if not book.advance():
            time.sleep(PAUSE_SECONDS)


def _is_signed(event: str) -> bool:
    place = tree.place_of(event)
    return place is not None and checkpoints.newest(place.log, at_least=place.index + 1) is not None
