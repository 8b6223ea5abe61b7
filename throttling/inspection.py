"""Looking at limits without reserving anything: for use cases that ask, operators and tests."""

from django.conf import settings

from throttling.limiter import claim, moment
from throttling.reservations import BucketStatus, Claim, StoreUnavailable
from throttling.stores import database, redis, routing
from throttling.stores.bucket import rule_of


def look(*claims: Claim) -> tuple[bool, ...]:
    """Tell for each claim whether its limit is exhausted or locked, reserving nothing. For claims of
    durable owners.
    """
    answer = database.reserve([rule_of(claim) for claim in claims], None, 0)
    return tuple(verdict["wait"] > 0 for verdict in answer["verdicts"])


def status(owner: str) -> list[BucketStatus]:
    """Return every bucket of ``owner`` that counts something."""
    kept = [claim(purpose, owner, key) for purpose, key in database.keys(owner) if purpose in settings.LIMITS]
    answer = database.reserve([rule_of(found) for found in kept], None, 0) if kept else {"verdicts": []}
    found = list(zip(kept, answer["verdicts"], strict=True))
    if routing.is_volatile(owner):
        every = tuple(claim(purpose, owner) for purpose in settings.LIMITS)
        for group in routing.redis_groups(every):
            (answer,) = redis.reserve([group], None, 0)
            found += zip(group, answer["verdicts"], strict=True)
    return [
        _status(one, verdict)
        for one, verdict in found
        if any(verdict[name] for name in ("used", "pending", "level"))
    ]


def _status(claim: Claim, verdict: dict[str, int]) -> BucketStatus:
    locked = verdict["wait"] > 0 and verdict["locked"] > 0
    return BucketStatus(
        claim.limit.purpose, claim.owner, claim.key, int(verdict["used"]), int(verdict["pending"]),
        moment(verdict["locked"]) if locked else None, int(verdict["level"]),
    )  # fmt: skip


def is_redis_up() -> bool:
    """Tell whether the configured Redis answers and this process uses it."""
    try:
        redis.ping()
    except StoreUnavailable:
        return False
    return not routing.is_tripped()
