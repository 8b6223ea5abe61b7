"""A host's clock was ahead and is set right: beside the embedded database it is the only one."""

import pytest

from tests.unit.throttling.conftest import Store, only
from throttling import limiter
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded, Settlement

RATE = Limit("requests", 2, 60, Counts.ATTEMPTS)
LOCKING = Limit("password_account_source", 1, 0, Counts.FAILURES, 900, 3000, forget_seconds=86400)
CAP = Limit("password_account", 1, 0, Counts.FAILURES)
YEAR_MS = 365 * 86_400_000
pytestmark = only("sqlite")


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
