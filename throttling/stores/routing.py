"""Which store holds a claim, and when Redis is not asked.

Durable account state (``account:``, ``device:``, ``login:``, ``mail:``, ``spraying:``) lives in the database always.
``source:`` and ``session:`` go to Redis where it is configured: short windows, many requests. After an error a process
stays on the database until the longest of these windows has passed, so that however often Redis comes and goes a
limit grants at most one further allowance: in any window, each store grants the limit at most once.
"""

import logging
import threading
import time
from collections.abc import Iterable

from django.conf import settings
from django.dispatch import Signal

from throttling import metrics
from throttling.reservations import Claim, StoreUnavailable
from throttling.stores import redis

logger = logging.getLogger(__name__)
VOLATILE_OWNERS = ("source:", "session:")
PROBE_SECONDS = 1.0
SLOW_ANSWERS = 3  # so many late ones in a row are an outage
store_changed = Signal()  # `store`: database or redis, sent by a process once it decides there

_lock = threading.Lock()
_retry_at = 0.0  # monotonic; before it Redis is not asked
_tripped = False
_slow = 0  # late answers without one in time between them
_unsaid = False


def is_volatile(owner: str) -> bool:
    return owner.startswith(VOLATILE_OWNERS)


def divide(claims: Iterable[Claim]) -> tuple[tuple[Claim, ...], list[tuple[Claim, ...]]]:
    """Return the claims that the database decides now, and those that Redis does, one group an owner."""
    if not settings.REDIS_URL or (_tripped and not _may_probe()):
        return tuple(claims), []
    lasting: list[Claim] = []
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        owner = claim.owner
        if not owner.startswith(VOLATILE_OWNERS):
            lasting.append(claim)
        elif owner in groups:
            groups[owner].append(claim)
        else:
            groups[owner] = [claim]
    return tuple(lasting), list(map(tuple, groups.values()))


def _may_probe() -> bool:
    """Let one thread a second try a Redis that was away; the others go on in the database."""
    global _retry_at
    with _lock:
        now = time.monotonic()
        if now < _retry_at:
            return False
        _retry_at = now + PROBE_SECONDS
        return True


def note_failure(error: StoreUnavailable) -> None:
    """Redis did not decide. One late answer is no outage: on a busy machine each burst would go to the database."""
    global _slow
    _slow += 1
    if error.is_slow and not _tripped and _slow < SLOW_ANSWERS:
        return
    trip(error.seconds)


def trip(seconds: float | None = None) -> None:
    """Leave Redis alone until the longest window has passed, or for ``seconds`` where the server itself said so."""
    global _retry_at, _tripped, _unsaid
    with _lock:
        if not _tripped:
            if seconds is None:
                logger.error("limits: Redis is away, the database takes over")
            else:
                logger.warning("limits: Redis has not been counting for a full window, the database decides")
            metrics.count(metrics.FAILOVERS, "redis")
            _tripped = _unsaid = True
        _retry_at = time.monotonic() + (redis.longest_window_seconds() if seconds is None else seconds)


def note_answer() -> None:
    """Redis decided: it is back, if it was away."""
    global _slow, _tripped, _unsaid
    _slow = 0
    if _tripped:
        with _lock:
            if _tripped:
                logger.warning("limits: Redis decides again")
                _tripped, _unsaid = False, True


def announce() -> None:
    """Tell who listens, once for each change, after the decision that it concerned; again when somebody failed."""
    global _unsaid
    if not _unsaid:
        return
    with _lock:
        changed, _unsaid = _unsaid, False
    if changed:
        told = store_changed.send_robust(sender="throttling", store="database" if _tripped else "redis")
        _unsaid = any(isinstance(answer, Exception) for _, answer in told)


def is_tripped() -> bool:
    """Tell whether this process keeps away from a configured Redis."""
    return bool(settings.REDIS_URL) and _tripped
