"""RateLimit and RateLimit-Policy agree: no `t` beyond `w`, and what is spread over `w` is never refused."""

import re
import time

import pytest

from tests.unit.throttling.conftest import Store
from throttling import limiter
from throttling.headers import policy_window_seconds, rate_limit_fields, watch_usage
from throttling.limits import DEFAULTS, Counts, Limit
from throttling.reservations import Claim, LimitExceeded
from throttling.stores import refusal_memory

SMALL = Limit("requests", 3, 60, Counts.ATTEMPTS)
LARGE = Limit("requests", 100, 60, Counts.ATTEMPTS)


def ask(claim: Claim) -> tuple[bool, dict[str, int]]:
    """Whether it was granted, and the parameters of both fields."""
    retry_after = 0
    with watch_usage() as noted:
        try:
            limiter.reserve(claim)
        except LimitExceeded as refusal:
            retry_after = refusal.retry_after_seconds
    told = _parameters(rate_limit_fields(noted))
    assert retry_after in (0, told["t"])
    return not retry_after, told


def refuse(*claims: Claim) -> dict[str, int]:
    """The parameters of both fields of a refusal, whose `t` is its Retry-After."""
    with watch_usage() as noted, pytest.raises(LimitExceeded) as refusal:
        limiter.reserve(*claims)
    told = _parameters(rate_limit_fields(noted))
    assert refusal.value.retry_after_seconds == told["t"]
    return told


def _parameters(fields: dict[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(\w)=(\d+)", " ".join(fields.values()))}


@pytest.mark.parametrize(("limit", "window"), [(SMALL, 60), (LARGE, 61)])
def test_time_told_never_exceeds_the_window_told(clocked: Store, limit: Limit, window: int) -> None:
    assert policy_window_seconds(limit) == window
    claim = Claim(limit, clocked.owner())
    for _ in range(150):
        granted, told = ask(claim)
        assert (told["q"], told["w"]) == (limit.allowed, window)
        assert 1 <= told["t"] <= window
        assert granted or told["r"] == 0
        clocked.advance(499)


def test_all_is_back_when_it_says_after_a_grant(clocked: Store) -> None:
    claim = Claim(LARGE, clocked.owner())
    for pause in (1, 2_500, 999):
        clocked.advance(pause)
        _, told = ask(claim)
        clocked.advance(told["t"] * 1000)
        assert ask(claim)[1]["r"] == LARGE.allowed - 1
        clocked.advance(LARGE.window_seconds * 2000)


def test_quota_spread_over_the_window_is_never_refused(clocked: Store) -> None:
    claim = Claim(LARGE, clocked.owner())
    pause = policy_window_seconds(LARGE) * 1000 // LARGE.allowed
    for _ in range(3 * LARGE.allowed):
        assert ask(claim)[0]
        clocked.advance(pause)


def test_default_rate_of_passwords_is_open_again_after_its_minute(clocked: Store) -> None:
    limit = DEFAULTS["password_source"]
    claim = Claim(limit, clocked.owner())
    clocked.advance(1_500)
    for _ in range(limit.allowed):
        assert ask(claim)[0]
    clocked.advance(1)
    granted, told = ask(claim)
    assert not granted
    assert told["t"] <= limit.window_seconds
    clocked.advance(limit.window_seconds * 1000)
    assert ask(claim)[0]


def test_of_several_rates_used_up_the_one_that_refuses_for_longest_is_told(clocked: Store) -> None:
    short, long = Limit("password_source", 1, 10, Counts.ATTEMPTS), Limit("refresh", 1, 60, Counts.ATTEMPTS)
    owners = clocked.owner(), clocked.owner()
    for limits in ((short, long), (long, short)):
        claims = [Claim(limit, owner) for limit, owner in zip(limits, owners, strict=True)]
        limiter.reserve(*claims)
        clocked.advance(1)
        told = refuse(*claims)
        assert (told["t"], told["w"]) == (60, 60)
        clocked.advance(70_000)


def test_a_rate_that_refuses_is_told_before_one_whose_last_count_was_given_back(clocked: Store) -> None:
    """Each owner in Redis decides by itself: what one granted last is noted though another refused."""
    short, long = Limit("password_source", 1, 10, Counts.ATTEMPTS), Limit("refresh", 1, 60, Counts.ATTEMPTS)
    fresh, spent = Claim(long, clocked.owner()), Claim(short, clocked.owner())
    limiter.reserve(spent)
    clocked.advance(1)
    told = refuse(spent, fresh)
    assert (told["r"], told["t"], told["w"]) == (0, 10, 10)


def test_a_refusal_from_memory_tells_what_is_left(clocked: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_memory, "MEMORY_SECONDS", 1.0)
    claim = Claim(SMALL, f"source:{clocked.owner()}")
    for _ in range(SMALL.allowed):
        limiter.reserve(claim)
    clocked.advance(600)
    assert refuse(claim)["t"] == 60
    time.sleep(0.7)
    assert refuse(claim)["t"] == 59
