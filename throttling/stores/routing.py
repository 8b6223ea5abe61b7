"""Which store holds a claim, and when Redis is not asked.

Durable account state (``account:``, ``device:``, ``login:``, ``mail:``) lives in the database always.
``source:`` and ``session:`` go to Redis where it is configured. After an error a process stays on the
database until the longest window has passed, so that however often Redis comes and goes a limit grants at
most one further allowance.
"""

import logging
import threading
import time
from collections.abc import Iterable

from django.conf import settings

from throttling import metrics
from throttling.reservations import Claim

logger = logging.getLogger(__name__)
VOLATILE_OWNERS = ("source:", "session:")
_lock = threading.Lock()
_closed_until = 0.0


def is_volatile(owner: str) -> bool:
    return owner.startswith(VOLATILE_OWNERS)


def redis_groups(claims: Iterable[Claim]) -> list[tuple[Claim, ...]]:
    """Return the claims that Redis decides now, one group an owner."""
    if not settings.REDIS_URL or time.monotonic() < _closed_until:
        return []
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        if is_volatile(claim.owner):
            groups.setdefault(claim.owner, []).append(claim)
    return [tuple(group) for group in groups.values()]


def trip() -> None:
    """Leave Redis alone until the longest window has passed."""
    global _closed_until
    with _lock:
        if time.monotonic() >= _closed_until:
            logger.error("limits: Redis is away, the database takes over")
            metrics.count(metrics.FAILOVERS, "redis")
        _closed_until = time.monotonic() + max(limit.window_seconds for limit in settings.LIMITS.values())


def is_tripped() -> bool:
    """Tell whether this process keeps away from a configured Redis."""
    return bool(settings.REDIS_URL) and time.monotonic() < _closed_until
