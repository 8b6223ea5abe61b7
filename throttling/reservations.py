"""The words of the limiter: claims, reservations, what came of them, and how it refuses.

A claim asks one limit for one more count in one bucket (purpose, owner, key). A reservation holds all its
claims or none. Owners name what the state belongs to: ``account:``, ``device:``, ``login:``, ``mail:``,
``source:`` or ``session:`` followed by an opaque id or address key.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import NamedTuple

from throttling.limits import KEY_KINDS, Limit

MOST_RETRY_SECONDS = 86400


class StoreUnavailable(Exception):
    """No store could decide, or this one must not. Without another one nothing is allowed; the answer is 503.

    ``seconds``: after how long this store may be asked again, where it said so. ``is_slow``: it may only be busy.
    """

    def __init__(self, message: str, *, seconds: float | None = None, is_slow: bool = False) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.is_slow = is_slow


class Claim(NamedTuple):
    """One more count of ``limit`` for ``owner`` and ``key``; ``member`` is what DISTINCT_FAILURES tells
    apart.
    """

    limit: Limit
    owner: str
    key: str = ""
    member: str = ""

    @property
    def bucket(self) -> tuple[str, str, str]:
        """Identity and lock order of the state."""
        return (self.owner, self.limit.purpose, self.key)

    @property
    def kind(self) -> str:
        """What the count is kept for, without saying for which one."""
        return KEY_KINDS[self.limit.purpose]


class Usage(NamedTuple):
    """What is left of a limit now, and in how many seconds more of it is back at the latest (RateLimit fields).

    ``is_refusal``: it stands in the way of the decision that it was noted at.
    """

    limit: Limit
    remaining: int
    reset_seconds: int
    is_refusal: bool = False


class Part(NamedTuple):
    """The claims of a reservation that one store call holds, and the store's time of it."""

    store: str
    claims: tuple[Claim, ...]
    at_ms: int


class Reservation(NamedTuple):
    """Claims granted together. Settle or release it exactly once; left alone it expires as a failure."""

    id: str
    claims: tuple[Claim, ...]
    usage: tuple[Usage, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Clear:
    """Forget failures, lock and doubling of these purposes of ``owner``; ``key`` None means all keys."""

    owner: str
    purposes: tuple[str, ...]
    key: str | None = None


@dataclass(frozen=True)
class Locked:
    """A limit that a failure exhausted. ``until`` None: closed until it is cleared or its window passes."""

    limit: Limit
    owner: str
    key: str
    until: datetime | None
    level: int


@dataclass(frozen=True)
class Settlement:
    """What settling changed for others: limits that this failure exhausted, or expired reservations did before."""

    locked: tuple[Locked, ...] = ()


@dataclass(frozen=True)
class BucketStatus:
    """The state of one bucket, for operators and tests."""

    purpose: str
    owner: str
    key: str
    used: int
    in_flight: int
    locked_until: datetime | None
    level: int


class LimitExceeded(Exception):
    """A limit refused. ``in_flight``: only reservations not yet settled stand in the way. ``is_repeated``: no store
    was asked, it refused a moment ago. ``unsaid``: claims behind which expired reservations began a lock that nobody
    was told of (``limiter.tell``).
    """

    def __init__(
        self,
        claim: Claim,
        *,
        wait_seconds: float,
        count: int,
        in_flight: bool = False,
        usage: tuple[Usage, ...] = (),
        is_repeated: bool = False,
        unsaid: tuple[Claim, ...] = (),
    ):
        super().__init__(claim.limit.purpose)
        self.claim = claim
        self.limit = claim.limit
        self.wait_seconds = wait_seconds
        self.count = count
        self.in_flight = in_flight
        self.usage = usage
        self.is_repeated = is_repeated
        self.unsaid = unsaid

    @property
    def retry_after_seconds(self) -> int:
        """Whole seconds after which to try again: 1 at least, a day at most."""
        return max(1, min(ceil(self.wait_seconds), MOST_RETRY_SECONDS))
