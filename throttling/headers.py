"""The RateLimit and RateLimit-Policy fields of an answer.

Source: IETF draft-ietf-httpapi-ratelimit-headers-10. The limiter notes what it granted or refused while a
request is watched; of several limits that one request counts against, the one with the least left is told, and of
several that are used up the one that refuses for longest. `t` is when more of the quota comes at the latest (all of it
after a grant; after a refusal Retry-After), and never exceeds `w`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil

from throttling.limits import Counts, Limit
from throttling.reservations import Usage
from throttling.stores.bucket import kept_ms

UNTOLD = frozenset({"mail_address"})
_noted: ContextVar[list[Usage] | None] = ContextVar("noted_usage", default=None)


@contextmanager
def watch_usage() -> Iterator[list[Usage]]:
    """Collect what the limiter notes in this context."""
    noted: list[Usage] = []
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


def note_usage(usages: Iterable[Usage]) -> None:
    """Called by the limiter after each decision."""
    noted = _noted.get()
    if noted is not None:
        noted.extend(usages)


def withdraw_usage(usages: Iterable[Usage]) -> None:
    """Called when what was granted is given back, or a refusal was not the last word: the answer tells none of it, and
    its request has no limit yet.
    """
    noted = _noted.get()
    if noted is not None:
        given_back = set(map(id, usages))
        noted[:] = [usage for usage in noted if id(usage) not in given_back]


def forget_usage() -> None:
    """For whoever answers a refusal as if no limit had refused: so it is counted like any other request."""
    noted = _noted.get()
    if noted is not None:
        noted.clear()


def rate_limit_fields(usages: list[Usage]) -> dict[str, str]:
    """Both fields, in structured-field form; none when no limit applied.

    Only rates of the asker's own are told. What is left of a lockout would tell how often others failed at an
    account, what is left of an address's mails whether somebody asked for one lately.
    """
    rates = [
        usage
        for usage in usages
        if usage.limit.counts is Counts.ATTEMPTS and usage.limit.purpose not in UNTOLD
    ]
    if not rates:
        return {}
    tightest = min(rates, key=_tightness)
    limit = tightest.limit
    window = policy_window_seconds(limit)
    return {
        "RateLimit-Policy": f'"{limit.purpose}";q={limit.allowed};w={window}',
        "RateLimit": f'"{limit.purpose}";r={tightest.remaining};t={min(tightest.reset_seconds, window)}',
    }


def _tightness(usage: Usage) -> tuple[float, bool, int]:
    return (usage.remaining / usage.limit.allowed, not usage.is_refusal, -usage.reset_seconds)


def policy_window_seconds(limit: Limit) -> int:
    """The window that is told: the longest that a count is kept.

    Whoever spreads the quota over it is never refused; over the limit's own, which a count may outlast by a
    sixtieth, they would be.
    """
    return ceil(kept_ms(limit) / 1000)
