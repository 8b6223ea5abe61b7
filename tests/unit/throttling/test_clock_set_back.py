"""The store's clock was ahead and is set right."""

import pytest

from tests.unit.throttling.conftest import Store, only
from throttling import limiter
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded, Settlement
from throttling.stores import redis, routing, servers

RATE = Limit("requests", 2, 60, Counts.ATTEMPTS)
LOCKING = Limit("password_account_source", 1, 0, Counts.FAILURES, 900, 3000, forget_seconds=86400)
CAP = Limit("password_account", 1, 0, Counts.FAILURES)
YEAR_MS = 365 * 86_400_000


def fail(claim: Claim) -> Settlement:
    return limiter.settle(limiter.reserve(claim), failed=True)


def test_rate_that_was_used_up_meanwhile_is_open_again(clocked: Store) -> None:
    claim = Claim(RATE, clocked.owner())
    clocked.advance(YEAR_MS)
    for _ in range(2):
        limiter.reserve(claim)
    clocked.advance(-YEAR_MS)
    for _ in range(2):
        limiter.reserve(claim)
    with pytest.raises(LimitExceeded):
        limiter.reserve(claim)


@only("sqlite", "postgres")  # Redis holds rates, of which nothing is in flight
def test_place_of_a_process_that_died_meanwhile_is_free_again(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    clocked.advance(YEAR_MS)
    limiter.reserve(claim)
    clocked.advance(-YEAR_MS)
    limiter.reserve(claim)


def test_small_step_back_lets_go_of_no_count(clocked: Store) -> None:
    claim = Claim(RATE, clocked.owner())
    for _ in range(2):
        limiter.reserve(claim)
    clocked.advance(-59_000)
    with pytest.raises(LimitExceeded):
        limiter.reserve(claim)


def test_lock_that_began_meanwhile_is_over_and_the_next_one_doubles(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    clocked.advance(YEAR_MS)
    fail(claim)
    clocked.advance(-YEAR_MS)
    (locked,) = fail(claim).locked
    assert locked.level == 2


def test_count_that_never_ages_stays(clocked: Store) -> None:
    claim = Claim(CAP, clocked.owner())
    clocked.advance(YEAR_MS)
    fail(claim)
    clocked.advance(-YEAR_MS)
    with pytest.raises(LimitExceeded):
        limiter.reserve(claim)


def test_nodes_that_disagree_about_a_window_let_go_of_nothing(clocked: Store) -> None:
    owner = clocked.owner()
    long, short = (Limit("requests", 3, seconds, Counts.ATTEMPTS) for seconds in (3600, 60))
    for limit in (long, long, short):
        limiter.reserve(Claim(limit, owner))
    with pytest.raises(LimitExceeded):
        limiter.reserve(Claim(long, owner))


@only("redis")
def test_server_that_began_to_count_meanwhile_is_believed_after_a_window(clocked: Store) -> None:
    claim = Claim(RATE, clocked.owner())
    since, _ = redis.place_of(claim.owner)
    server = servers.topology(clocked.environment["REDIS_URL"], 60).server_of(since)
    before = server.ask("GET", since)
    clocked.advance(YEAR_MS)
    server.ask("DEL", since)
    assert limiter.reserve(claim).parts[0].store == "database"
    clocked.advance(-YEAR_MS)
    routing.note_answer()
    assert limiter.reserve(claim).parts[0].store == "database"
    clocked.advance(60_000)
    routing.note_answer()
    assert limiter.reserve(claim).parts[0].store == "redis"
    server.ask("SET", since, before)
