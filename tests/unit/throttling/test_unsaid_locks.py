"""A lock that an expired reservation began is told once: to the next decision, whatever it decides."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connection, transaction

from tests.unit.throttling.conftest import Store, only
from throttling import limiter
from throttling.inspection import status
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, Clear, LimitExceeded, Locked, Settlement

LOCKING = Limit("password_account_source", 2, 0, Counts.FAILURES, 900, 3000, forget_seconds=86400)
EXPIRES_MS = 30_000
pytestmark = only("sqlite", "postgres")


def refused(claim: Claim) -> LimitExceeded:
    try:
        limiter.reserve(claim)
    except LimitExceeded as refusal:
        return refusal
    raise AssertionError("it was granted")


def abandon(store: Store) -> Claim:
    """Two attempts of processes that died, the second a second later."""
    claim = Claim(LOCKING, store.owner())
    for _ in range(2):
        limiter.reserve(claim)
        store.advance(1000)
    store.advance(EXPIRES_MS)
    return claim


def tell(refusal: LimitExceeded) -> tuple[Locked, ...]:
    with transaction.atomic():
        return limiter.tell(refusal).locked


def test_first_refusal_behind_it_tells_it_and_no_other(clocked: Store) -> None:
    claim = abandon(clocked)
    first, second = refused(claim), refused(claim)
    assert first.unsaid == (claim,)
    (told,) = tell(first)
    assert (told.limit, told.owner, told.level) == (LOCKING, claim.owner, 1)
    assert told.until is not None
    assert told.until.timestamp() * 1000 == clocked.now_ms - 1000 + 900_000
    assert tell(second) == ()
    assert refused(claim).unsaid == ()


def test_what_was_told_in_a_transaction_that_fails_is_told_again(clocked: Store) -> None:
    claim = abandon(clocked)
    refusal = refused(claim)
    try:
        with transaction.atomic():
            assert len(limiter.tell(refusal).locked) == 1
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert len(tell(refusal)) == 1


def settle(store: Store, claim: Claim, *, failed: bool) -> Settlement:
    """An attempt after the lock's end."""
    store.advance(3_000_000)
    return limiter.settle(limiter.reserve(claim), failed=failed)


def test_attempt_after_its_end_tells_it_too(clocked: Store) -> None:
    for failed in (True, False):
        claim = abandon(clocked)
        assert [one.level for one in settle(clocked, claim, failed=failed).locked] == [1]
        assert settle(clocked, claim, failed=False).locked == ()


def test_one_that_is_given_back_leaves_it_to_the_next(clocked: Store) -> None:
    claim = abandon(clocked)
    clocked.advance(3_000_000)
    limiter.release(limiter.reserve(claim))
    limiter.reserve(claim)  # its process dies too
    assert len(settle(clocked, claim, failed=False).locked) == 1


def test_cleared_lock_is_told_to_nobody(clocked: Store) -> None:
    claim = abandon(clocked)
    limiter.clear(claim.owner, purposes=[LOCKING.purpose])
    assert limiter.settle(limiter.reserve(claim), failed=True).locked == ()


def test_settlement_that_clears_it_tells_it_first(clocked: Store) -> None:
    for failed in (True, False):
        claim = abandon(clocked)
        clocked.advance(3_000_000)
        reservation = limiter.reserve(claim)
        clear = (Clear(claim.owner, (LOCKING.purpose,)),)
        settled = limiter.settle(reservation, failed=failed, clear=clear)
        assert [one.level for one in settled.locked] == [1]
        assert status(claim.owner) == []


def test_many_refusals_at_once_tell_it_once(clocked: Store) -> None:
    claim = abandon(clocked)
    refusals = [refused(claim) for _ in range(8)]

    def tell_in_a_thread(refusal: LimitExceeded) -> int:
        try:
            return len(tell(refusal))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tell_in_a_thread, refusals)) == 1
