"""What the limiter counts about itself, in Prometheus' terms.

Promises: a count takes microseconds and never fails what it counts. A label is a purpose, an outcome or the name of a
store, never an owner, a key or an address. Nothing here opens a file when it is imported: a counter's value is made
with its labels.
"""

import contextlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter

from throttling.reservations import Claim, LimitExceeded

Decision = TypeVar("Decision")
REGISTRY = CollectorRegistry()
GRANTED, REFUSED, IN_FLIGHT = "granted", "refused", "in_flight"
_stopped = False


def counter(name: str, told: str, *labels: str) -> Counter:
    """Return a counter of this service; it has a value for each choice of labels."""
    return Counter(name, told, labels, namespace="secure_auth", registry=REGISTRY)


DECISIONS = counter(
    "limit_decisions",
    "Decisions of the limits: granted, refused, or refused because reservations in flight stood in the way.",
    "limit",
    "outcome",
)
LOCKOUTS = counter("lockouts", "Failures that exhausted a limit: locks that began.", "limit")
STORE_DECISIONS = counter("limit_store_decisions", "Answers of the stores of limits.", "store")
FAILOVERS = counter(
    "limit_store_failovers", "Times a process left a store of limits for the database.", "store"
)


def count(counted: Counter, *labels: str) -> None:
    """Add one. A fault of the metrics is none of the request's."""
    if _stopped:
        return
    with contextlib.suppress(Exception):
        _add_one(counted, labels)()


@cache
def _add_one(counted: Counter, labels: tuple[str, ...]) -> Callable[[], None]:
    """Finding it takes longer than counting."""
    return counted.labels(*labels).inc


def stop_counting() -> None:
    """For a process that has nowhere to count."""
    global _stopped
    _stopped = True


def begin_at_zero(counted: Counter, choices: Iterable[tuple[str, ...]]) -> None:
    """Show these labels before anything is counted: a rate can then be told from the first count on."""
    for labels in choices:
        counted.labels(*labels)


def counted(decide: Callable[..., Decision], claims: tuple[Claim, ...]) -> Decision:
    """Decide over claims, and count what comes of them: each granted, or the one that refused."""
    try:
        found = decide(*claims)
    except LimitExceeded as refusal:
        count_refused(refusal)
        raise
    if not _stopped:
        with contextlib.suppress(Exception):
            for claim in claims:
                _add_one(DECISIONS, (claim.limit.purpose, GRANTED))()
    return found


def count_refused(refusal: LimitExceeded) -> None:
    """Count the claim that was refused."""
    count(DECISIONS, refusal.limit.purpose, IN_FLIGHT if refusal.in_flight else REFUSED)
