"""What happens when a store dies."""

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import override_settings

from tests.unit.throttling.conftest import Store, only, point_at
from throttling import limiter
from throttling.inspection import status
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded, StoreUnavailable
from throttling.stores import redis, routing

ATTEMPTS = Limit("requests", 5, 60, Counts.ATTEMPTS)
LOCKING = Limit("password_account_source", 1, 0, Counts.FAILURES, 900, 3600, forget_seconds=3600)


@pytest.fixture(params=["stopped", "paused"])
def dead_redis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Redis that refuses connections, or one that takes them and never answers."""
    monkeypatch.setattr(redis, "TIMEOUT_SECONDS", 0.08)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "paused":
            listener.listen(64)
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def granted(claim: Claim, tries: int) -> int:
    count = 0
    for _ in range(tries):
        with contextlib.suppress(LimitExceeded):
            limiter.reserve(claim)
            count += 1
    return count


@only("sqlite")
def test_database_takes_over_within_100_ms_and_keeps_the_limit(store: Store, dead_redis: str) -> None:
    claim = Claim(ATTEMPTS, "source:198.51.100.1" + dead_redis[-6:])
    with override_settings(REDIS_URL=dead_redis):
        began = time.monotonic()
        limiter.reserve(claim)
        assert time.monotonic() - began < 0.5  # 0.1 and a busy test machine
        assert routing.is_tripped()
        assert granted(claim, 10) == 4


@only("redis")
def test_flapping_redis_grants_one_further_allowance_at_most(store: Store, dead_redis: str) -> None:
    claim = Claim(ATTEMPTS, "source:198.51.100.2" + dead_redis[-6:])
    total = granted(claim, 3)
    for _ in range(10):
        with override_settings(REDIS_URL=dead_redis):
            total += granted(claim, 3)
        total += granted(claim, 3)
    assert total == 3 + 5


@only("redis")
def test_process_returns_to_redis_after_the_longest_window(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    routing.trip()
    assert routing.is_tripped()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 3601)
    assert not routing.is_tripped()


@only("redis")
def test_restarted_redis_is_not_taken_for_the_one_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(ATTEMPTS, "source:198.51.100.4")
    limiter.reserve(claim)
    url = store.environment["REDIS_URL"]
    monkeypatch.setitem(redis._identities, url, "the one before")
    redis.client(url).connection_pool.disconnect()
    limiter.reserve(claim)
    assert routing.is_tripped()


@only("redis")
def test_refusal_by_the_account_gives_back_what_the_source_granted(store: Store) -> None:
    source, account = Claim(ATTEMPTS, store.owner()), Claim(LOCKING, "account:1", "source")
    limiter.settle(limiter.reserve(source, account), failed=True)
    with pytest.raises(LimitExceeded) as refusal:
        limiter.reserve(source, account)
    assert refusal.value.limit is LOCKING
    assert [one.used for one in status(source.owner)] == [1]


@only("redis")
def test_lost_settlement_counts_as_a_failure(
    store: Store, dead_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(LOCKING, store.owner())
    reservation = limiter.reserve(claim)
    with override_settings(REDIS_URL=dead_redis):
        limiter.settle(reservation, failed=False)
    monkeypatch.setattr(routing, "_closed_until", 0.0)
    assert [one.in_flight for one in status(claim.owner)] == [1]


@only("postgres")
def test_bucket_held_by_a_stuck_transaction_is_not_waited_for_long(store: Store) -> None:
    claim = Claim(LOCKING, store.owner())
    reservation = limiter.reserve(claim)
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        limiter.settle(reservation, failed=False)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            pool.submit(reserve_elsewhere, claim).result()
        assert 1.9 < time.monotonic() - began < 6


def reserve_elsewhere(claim: Claim) -> None:
    try:
        limiter.reserve(claim)
    finally:
        connection.close()


@only("postgres")
def test_no_store_is_never_a_yes(store: Store, dead_redis: str) -> None:
    before = connection.settings_dict
    point_at({**before, "HOST": "127.0.0.1", "PORT": "1", "OPTIONS": {"connect_timeout": 1}})
    try:
        for owner in ("source:198.51.100.3", "account:3"):
            with override_settings(REDIS_URL=dead_redis), pytest.raises(StoreUnavailable):
                limiter.reserve(Claim(ATTEMPTS, owner))
    finally:
        point_at(before)
