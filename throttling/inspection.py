"""Looking at limits without reserving anything: for use cases that ask, operators and tests."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from django.conf import settings

from throttling.limiter import claim, moment
from throttling.reservations import BucketStatus, Claim, StoreUnavailable
from throttling.stores import database, redis, routing
from throttling.stores.bucket import rule_of

BATCH = 200


def look(*claims: Claim) -> tuple[bool, ...]:
    """Tell for each claim whether its limit is exhausted or locked, reserving nothing. For claims of
    durable owners.
    """
    answer = database.reserve([rule_of(claim) for claim in claims], None, 0)
    return tuple(verdict["wait"] > 0 for verdict in answer["verdicts"])


def status(owner: str) -> list[BucketStatus]:
    """Return every bucket of ``owner`` that counts something; those in Redis only while it answers."""
    kept = [claim(purpose, owner, key) for purpose, key in database.keys(owner) if purpose in settings.LIMITS]
    found = _in_database(kept)
    if routing.is_volatile(owner):
        every = tuple(claim(purpose, owner) for purpose in settings.LIMITS)
        with suppress(StoreUnavailable):
            for group in routing.divide(every)[1]:
                (answer,) = redis.reserve([group], None, 0)
                found += _counting(group, answer)
    return found


def survey(*purposes: str, key: str | None = None) -> Iterator[BucketStatus]:
    """Yield the buckets of all owners that count something for these purposes, which are durable; in the
    order of locks.
    """
    found = [claim(purpose, owner, own_key) for owner, purpose, own_key in database.find(purposes, key)]
    for start in range(0, len(found), BATCH):
        yield from _in_database(found[start : start + BATCH])


def _in_database(claims: Sequence[Claim]) -> list[BucketStatus]:
    return _counting(claims, database.reserve([rule_of(one) for one in claims], None, 0)) if claims else []


def _counting(claims: Sequence[Claim], answer: dict[str, Any]) -> list[BucketStatus]:
    return [
        _status(one, verdict)
        for one, verdict in zip(claims, answer["verdicts"], strict=True)
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
