"""What a reservation promises, the same on every store."""

import pytest

from tests.unit.throttling.conftest import Store, only
from throttling import limiter
from throttling.inspection import status
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded
from throttling.stores import bucket

ATTEMPTS = Limit("requests", 3, 60, Counts.ATTEMPTS)
FAILURES = Limit("totp_account", 3, 60, Counts.FAILURES)
CONSECUTIVE = Limit("totp_consecutive", 3, 0, Counts.FAILURES)
LOCKING = Limit("password_account_source", 2, 0, Counts.FAILURES, 900, 3000, forget_seconds=3000)
LARGE = Limit("refresh", bucket.SLOTS + 1, 60, Counts.ATTEMPTS)
SPRAYING = Limit("spraying", 2, 600, Counts.DISTINCT_FAILURES)


def fail(*claims: Claim) -> None:
    limiter.settle(limiter.reserve(*claims), failed=True)


def refusal(*claims: Claim) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as caught:
        limiter.reserve(*claims)
    return caught.value


def test_attempts_count_when_reserved_whatever_comes_of_them(clocked: Store) -> None:
    claim = Claim(ATTEMPTS, clocked.owner())
    for remaining in (2, 1, 0):
        reservation = limiter.reserve(claim)
        assert reservation.usage[0].remaining == remaining
        assert 60 <= reservation.usage[0].reset_seconds <= 61
        limiter.settle(reservation, failed=False)
    refused = refusal(claim)
    assert (refused.limit, refused.count, refused.in_flight) == (ATTEMPTS, 3, False)
    clocked.advance(refused.retry_after_seconds * 1000)
    limiter.reserve(claim)


def test_retry_after_is_true_to_the_second(clocked: Store) -> None:
    claim = Claim(ATTEMPTS, clocked.owner())
    for _ in range(3):
        limiter.reserve(claim)
        clocked.advance(10_000)
    refused = refusal(claim)
    assert refused.retry_after_seconds == 31
    clocked.advance(29_000)
    refusal(claim)
    clocked.advance(2_000)
    limiter.reserve(claim)


def test_released_attempt_is_given_back(clocked: Store) -> None:
    claim = Claim(ATTEMPTS, clocked.owner())
    for _ in range(5):
        limiter.release(limiter.reserve(claim))
    assert status(claim.owner) == []


def test_success_frees_and_never_clears(clocked: Store) -> None:
    claim = Claim(CONSECUTIVE, clocked.owner())
    fail(claim)
    fail(claim)
    for _ in range(5):
        limiter.settle(limiter.reserve(claim), failed=False)
    fail(claim)
    assert refusal(claim).count == 3


def test_failures_and_flights_together_never_exceed_the_limit(clocked: Store) -> None:
    claim = Claim(FAILURES, clocked.owner())
    fail(claim)
    first, _ = limiter.reserve(claim), limiter.reserve(claim)
    refused = refusal(claim)
    assert refused.in_flight
    assert refused.retry_after_seconds == 1
    limiter.settle(first, failed=False)
    limiter.reserve(claim)


def test_window_of_failures_slides(clocked: Store) -> None:
    claim = Claim(FAILURES, clocked.owner())
    for _ in range(3):
        fail(claim)
        clocked.advance(10_000)
    assert refusal(claim).retry_after_seconds == 31
    clocked.advance(31_000)
    fail(claim)
    refusal(claim)


@pytest.mark.parametrize("limit", [ATTEMPTS, FAILURES, LARGE], ids=lambda limit: limit.purpose)
def test_count_stays_for_its_window_to_the_millisecond(clocked: Store, limit: Limit) -> None:
    claim = Claim(limit, clocked.owner())
    for _ in range(limit.allowed):
        fail(claim)
    clocked.advance(bucket.kept_ms(limit, clocked.now_ms))
    refusal(claim)
    clocked.advance(1)
    limiter.reserve(claim)


def test_doubling_is_remembered_to_the_millisecond(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    for level, quiet_ms in ((1, 2_999_999), (2, 3_000_000), (1, 0)):
        fail(claim)
        settled = limiter.settle(limiter.reserve(claim), failed=True)
        assert settled.locked[0].level == level
        clocked.advance(900_000 * level + quiet_ms)


def test_consecutive_failures_never_age(clocked: Store) -> None:
    claim = Claim(CONSECUTIVE, clocked.owner())
    for _ in range(3):
        fail(claim)
    clocked.advance(400 * 86_400_000)
    assert refusal(claim).retry_after_seconds == 86400
    limiter.clear(claim.owner, purposes=["totp_consecutive"])
    limiter.reserve(claim)


def test_abandoned_reservation_expires_as_a_failure(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    limiter.reserve(claim)
    late = limiter.reserve(claim)
    assert refusal(claim).in_flight
    clocked.advance(29_999)
    assert refusal(claim).in_flight
    clocked.advance(1)
    refused = refusal(claim)
    assert not refused.in_flight
    assert refused.retry_after_seconds == 900
    told = limiter.settle(late, failed=False).locked  # nobody else was told of that lock
    assert [one.level for one in told] == ([] if clocked.name == "redis" else [1])
    assert refusal(claim).retry_after_seconds == 900


def test_expired_reservation_is_one_failure(clocked: Store) -> None:
    claim = Claim(CONSECUTIVE, clocked.owner())
    limiter.reserve(claim)
    clocked.advance(30_000)
    for _ in range(2):
        limiter.settle(limiter.reserve(claim), failed=False)
        clocked.advance(1)
    assert [(one.used, one.in_flight) for one in status(claim.owner)] == [(1, 0)]


def test_reservations_expire_in_their_own_order_and_time(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    limiter.reserve(claim)
    clocked.advance(10_000)
    limiter.reserve(claim)
    clocked.advance(130_000)
    assert refusal(claim).retry_after_seconds == 800


def test_lock_doubles_to_its_maximum_and_attempts_do_not_renew_it(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    for level, seconds in enumerate((900, 1800, 3000, 3000), start=1):
        fail(claim)
        settled = limiter.settle(limiter.reserve(claim), failed=True)
        assert [(one.level, one.limit) for one in settled.locked] == [(level, LOCKING)]
        assert settled.locked[0].until is not None
        clocked.advance(seconds * 1000 // 2)
        assert refusal(claim).retry_after_seconds == seconds // 2
        assert refusal(claim).retry_after_seconds == seconds // 2
        clocked.advance(seconds * 1000 // 2)


def test_doubling_is_forgotten_after_a_quiet_time_beyond_the_lock(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    for expected in (1, 2, 1):
        fail(claim)
        settled = limiter.settle(limiter.reserve(claim), failed=True)
        assert settled.locked[0].level == expected
        clocked.advance((900 * expected + (0 if expected == 1 else 3001)) * 1000)


def test_spraying_counts_accounts_not_failures(clocked: Store) -> None:
    owner = clocked.owner()
    for member in ("ann", "ann", "ben", "ben", "ann"):
        fail(Claim(SPRAYING, owner, member=member))
    assert refusal(Claim(SPRAYING, owner, member="eve")).count == 2
    limiter.settle(limiter.reserve(Claim(SPRAYING, owner, member="ann")), failed=False)
    clocked.advance(601_000)
    limiter.reserve(Claim(SPRAYING, owner, member="eve"))


def test_spraying_counts_accounts_in_flight(clocked: Store) -> None:
    owner = clocked.owner()
    first = limiter.reserve(Claim(SPRAYING, owner, member="ann"))
    limiter.reserve(Claim(SPRAYING, owner, member="ann"))
    limiter.reserve(Claim(SPRAYING, owner, member="ben"))
    assert refusal(Claim(SPRAYING, owner, member="eve")).in_flight
    limiter.settle(first, failed=False)
    assert refusal(Claim(SPRAYING, owner, member="eve")).in_flight


def test_all_claims_or_none(clocked: Store) -> None:
    owner = clocked.owner()
    full, free = Claim(ATTEMPTS, owner), Claim(CONSECUTIVE, owner)
    for _ in range(3):
        limiter.reserve(full)
    assert refusal(free, full).limit is ATTEMPTS
    assert [one.purpose for one in status(owner)] == ["requests"]


def test_settlement_is_once(clocked: Store) -> None:
    claim = Claim(CONSECUTIVE, clocked.owner())
    reservation = limiter.reserve(claim)
    for _ in range(4):
        limiter.settle(reservation, failed=True)
    assert [one.used for one in status(claim.owner)] == [1]


def test_clear_keeps_reservations_in_flight(clocked: Store) -> None:
    claim = Claim(CONSECUTIVE, clocked.owner())
    fail(claim)
    flight = limiter.reserve(claim)
    limiter.clear(claim.owner, purposes=["totp_consecutive"])
    assert [(one.used, one.in_flight) for one in status(claim.owner)] == [(0, 1)]
    limiter.settle(flight, failed=True)
    assert [(one.used, one.in_flight) for one in status(claim.owner)] == [(1, 0)]


@only("sqlite", "postgres")
def test_clear_of_one_key_leaves_the_others(clocked: Store) -> None:
    owner = clocked.owner()
    for key in ("a", "b", "c"):
        fail(Claim(LOCKING, owner, key))
    limiter.clear(owner, purposes=[LOCKING.purpose], key="a")
    assert [one.key for one in status(owner)] == ["b", "c"]
    limiter.clear(owner, purposes=[LOCKING.purpose, "totp_account"])
    assert status(owner) == []
