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
from throttling.reservations import Claim, Clear, LimitExceeded, StoreUnavailable
from throttling.stores import redis, routing, servers

ATTEMPTS = Limit("requests", 5, 60, Counts.ATTEMPTS)
LOCKING = Limit("password_account_source", 1, 0, Counts.FAILURES, 900, 3600, forget_seconds=3600)


@pytest.fixture(params=["stopped", "paused"])
def dead_redis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Redis that refuses connections, or one that takes them and never answers."""
    monkeypatch.setattr(servers, "TIMEOUT_SECONDS", 0.08)
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
        assert granted(claim, 10) == 4
        assert routing.is_tripped()


@only("redis")
def test_late_answers_are_an_outage_only_three_in_a_row(store: Store) -> None:
    late = StoreUnavailable("late", is_slow=True)
    for error in (late, late):
        routing.note_failure(error)
    assert limiter.reserve(Claim(ATTEMPTS, store.owner())).parts[0].store == "redis"
    for _ in range(3):
        assert not routing.is_tripped()
        routing.note_failure(late)
    assert routing.is_tripped()


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
def test_process_asks_redis_again_after_the_longest_window(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(ATTEMPTS, store.owner())
    routing.trip()
    now = time.monotonic()
    assert limiter.reserve(claim).parts[0].store == "database"
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert limiter.reserve(claim).parts[0].store == "redis"
    assert not routing.is_tripped()


@only("redis")
def test_one_thread_a_second_tries_a_redis_that_was_away(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(ATTEMPTS, store.owner())
    routing.trip()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert routing.divide([claim]) == ((), [(claim,)])
    assert routing.divide([claim]) == ((claim,), [])


@only("redis")
@pytest.mark.parametrize("loss", ["restarted", "emptied"])
def test_redis_that_may_have_lost_its_counts_is_not_believed_for_a_window(
    store: Store, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    claim = Claim(ATTEMPTS, store.owner())
    assert limiter.reserve(claim).parts[0].store == "redis"
    since, _ = redis.place_of(claim.owner)
    server = servers.topology(store.environment["REDIS_URL"], 60).server_of(since)
    if loss == "emptied":
        server.ask("DEL", since)
    else:
        server.ask("SET", since, "theidofthatserver 0")
    assert limiter.reserve(claim).parts[0].store == "database"
    assert routing.is_tripped()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 59)
    assert limiter.reserve(claim).parts[0].store == "database"
    server_id, _, believed_at = server.ask("GET", since).decode().partition(" ")
    server.ask("SET", since, f"{server_id} {int(believed_at) - 60_000}")
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert limiter.reserve(claim).parts[0].store == "redis"


@only("redis")
def test_first_owner_that_meets_a_loss_begins_the_wait_of_all(store: Store) -> None:
    server = servers.topology(store.environment["REDIS_URL"], 60).server_of("")
    tags = [f"limit:{{{slot:x}}}:since" for slot in range(redis.SLOTS)]
    before = server.ask("MGET", *tags)
    server.ask("DEL", *tags)
    try:
        assert limiter.reserve(Claim(ATTEMPTS, store.owner())).parts[0].store == "database"
        assert all(server.ask("MGET", *tags))
    finally:
        server.ask("MSET", *(word for pair in zip(tags, before, strict=True) for word in pair))


@only("redis")
def test_idle_connection_that_the_server_closed_is_no_outage(store: Store) -> None:
    claim = Claim(ATTEMPTS, store.owner())
    limiter.reserve(claim)
    servers.topology(store.environment["REDIS_URL"], 60).server_of("").ask("CLIENT", "KILL", "TYPE", "normal")
    assert limiter.reserve(claim).parts[0].store == "redis"


@only("redis")
def test_change_of_the_store_is_announced_once_after_the_decision(store: Store, dead_redis: str) -> None:
    heard: list[str] = []

    def listen(store: str, **_: object) -> None:
        heard.append(store)

    routing.store_changed.connect(listen)
    try:
        claim = Claim(ATTEMPTS, "source:198.51.100.5" + dead_redis[-6:])
        with override_settings(REDIS_URL=dead_redis):
            granted(claim, 3)
        assert heard == ["database"]
        routing.trip(0)
        granted(claim, 3)
        assert heard == ["database", "redis"]
    finally:
        routing.store_changed.disconnect(listen)


@only("redis")
def test_refusal_by_the_account_gives_back_what_the_source_granted(store: Store) -> None:
    source, account = Claim(ATTEMPTS, store.owner()), Claim(LOCKING, "account:1", "source")
    limiter.settle(limiter.reserve(source, account), failed=True)
    with pytest.raises(LimitExceeded) as refusal:
        limiter.reserve(source, account)
    assert refusal.value.limit is LOCKING
    assert [one.used for one in status(source.owner)] == [1]


@only("redis")
def test_refusal_by_the_source_gives_back_what_the_account_granted(store: Store) -> None:
    source, account = Claim(ATTEMPTS, store.owner()), Claim(LOCKING, "account:2", "source")
    assert granted(source, 10) == 5
    with pytest.raises(LimitExceeded) as refusal:
        limiter.reserve(source, account)
    assert refusal.value.limit is ATTEMPTS
    assert status(account.owner) == []


@only("redis")
def test_refusal_by_one_source_gives_back_what_another_granted(store: Store) -> None:
    full, other = Claim(ATTEMPTS, store.owner()), Claim(ATTEMPTS, store.owner())
    assert granted(full, 10) == 5
    with pytest.raises(LimitExceeded):
        limiter.reserve(full, other)
    assert status(other.owner) == []


@only("redis")
def test_settling_what_redis_holds_clears_what_the_database_holds(store: Store) -> None:
    account = Claim(LOCKING, "account:4", "source")
    limiter.settle(limiter.reserve(account), failed=True)
    reservation = limiter.reserve(Claim(ATTEMPTS, store.owner()))
    limiter.settle(reservation, failed=False, clear=(Clear(account.owner, (LOCKING.purpose,)),))
    assert status(account.owner) == []


@only("redis")
def test_lost_settlement_counts_as_a_failure(
    store: Store, dead_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(LOCKING, store.owner())
    reservation = limiter.reserve(claim)
    with override_settings(REDIS_URL=dead_redis):
        limiter.settle(reservation, failed=False)
    monkeypatch.setattr(routing, "_tripped", False)
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
