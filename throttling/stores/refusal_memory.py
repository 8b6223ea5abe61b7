"""What a store refused a moment ago, so that a flood costs no store call for each of its requests.

A rate that is used up stays so until its oldest count leaves the window: to ask again earlier is in vain. So a refusal
of a source's or a session's rate is repeated from memory for up to MEMORY_SECONDS. Nothing is ever granted from here;
what is cleared by hand is open again after that time at the latest.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from throttling.headers import note_usage
from throttling.reservations import Claim, LimitExceeded, Usage
from throttling.stores.routing import is_volatile

MEMORY_SECONDS = 1.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Refused:
    """What is told again. Never the exception: its traceback holds the request, and what was typed, in memory."""

    at: float
    wait_seconds: float
    count: int
    usage: tuple[Usage, ...]


_lock = threading.Lock()
_remembered: dict[tuple[str, str, str], Refused] = {}


def remember(refusal: LimitExceeded) -> None:
    """Keep a refusal for a moment. Full, the memory is emptied: it is no store."""
    if refusal.in_flight or not is_volatile(refusal.claim.owner):
        return
    with _lock:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[refusal.claim.bucket] = Refused(
            time.monotonic(), refusal.wait_seconds, refusal.count, refusal.usage
        )


def check(claims: Iterable[Claim]) -> None:
    """Raise LimitExceeded, marked ``is_repeated``, when one of these claims was refused a moment ago."""
    if not _remembered:
        return
    now = time.monotonic()
    for claim in claims:
        refused = _remembered.get(claim.bucket)
        if refused is None:
            continue
        if now - refused.at >= min(MEMORY_SECONDS, refused.wait_seconds):
            with _lock:
                _remembered.pop(claim.bucket, None)
            continue
        refusal = LimitExceeded(
            claim,
            wait_seconds=refused.wait_seconds - (now - refused.at),
            count=refused.count,
            usage=refused.usage,
            is_repeated=True,
        )
        note_usage(_as_late_as(refusal.retry_after_seconds, one) for one in refused.usage)
        raise refusal


def _as_late_as(seconds: int, usage: Usage) -> Usage:
    """What refused a moment ago, told with what is left of its time."""
    if not usage.is_refusal:
        return usage
    return usage._replace(reset_seconds=min(usage.reset_seconds, seconds))


def forget() -> None:
    """Forget everything: for whoever cleared a limit."""
    with _lock:
        _remembered.clear()
