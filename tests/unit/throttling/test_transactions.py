"""How the limiter fits into the transactions of its callers, and what it leaves in the database."""

from typing import Any

import pytest
from django.db import connection, transaction

from tests.unit.throttling.conftest import Store, only
from tests.unit.throttling.test_limiter import ATTEMPTS, CONSECUTIVE, FAILURES, LOCKING, SPRAYING, fail
from throttling import limiter
from throttling.inspection import status
from throttling.limiter import RESERVATION_SECONDS
from throttling.models import Bucket
from throttling.reservations import Claim, Clear
from throttling.stores import database


@only("sqlite", "postgres")
def test_settle_and_clear_belong_to_the_transaction_of_the_caller(clocked: Store) -> None:
    claim, other = Claim(CONSECUTIVE, clocked.owner()), Claim(LOCKING, clocked.owner())
    fail(other)
    reservation = limiter.reserve(claim)
    with transaction.atomic():
        limiter.settle(reservation, failed=True, clear=(Clear(other.owner, (LOCKING.purpose,)),))
        transaction.set_rollback(True)
    assert [(one.used, one.in_flight) for one in status(claim.owner)] == [(0, 1)]
    assert [one.used for one in status(other.owner)] == [1]
    with transaction.atomic():
        limiter.settle(reservation, failed=True, clear=(Clear(other.owner, (LOCKING.purpose,)),))
    assert [(one.used, one.in_flight) for one in status(claim.owner)] == [(1, 0)]
    assert status(other.owner) == []


@only("redis")
def test_redis_settles_success_after_the_commit(clocked: Store) -> None:
    claim = Claim(CONSECUTIVE, clocked.owner())
    reservation = limiter.reserve(claim)
    with transaction.atomic():
        limiter.settle(reservation, failed=False)
        transaction.set_rollback(True)
    assert [one.in_flight for one in status(claim.owner)] == [1]
    with transaction.atomic():
        limiter.settle(reservation, failed=False)
    assert status(claim.owner) == []


@only("sqlite", "postgres")
def test_reserve_refuses_to_run_inside_a_transaction(clocked: Store) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        limiter.reserve(Claim(ATTEMPTS, clocked.owner()))


@pytest.mark.parametrize("claims", [(), ("same", "same")])
def test_reserve_refuses_nothing_and_duplicates(store: Store, claims: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        limiter.reserve(*(Claim(ATTEMPTS, f"account:{name}") for name in claims))


@only("sqlite", "postgres")
def test_settled_state_leaves_nothing_behind(clocked: Store) -> None:
    claim = Claim(LOCKING, clocked.owner())
    limiter.settle(limiter.reserve(claim), failed=False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM throttling_bucket WHERE owner = %s", [claim.owner])
        assert cursor.fetchone() == (0,)


@only("sqlite", "postgres")
def test_prune_deletes_what_equals_nothing_and_only_that(clocked: Store) -> None:
    limiter.prune()
    old, live = Claim(ATTEMPTS, clocked.owner()), Claim(CONSECUTIVE, clocked.owner())
    limiter.reserve(old)
    fail(live)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE throttling_bucket SET expires_at = '2001-01-01 00:00:00+00:00' WHERE owner = %s",
            [old.owner],
        )
    assert limiter.prune() == 1
    assert (status(old.owner), len(status(live.owner))) == ([], 1)


@only("postgres")
def test_prune_goes_on_until_nothing_is_left(clocked: Store) -> None:
    limiter.prune()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO throttling_bucket SELECT 'account:' || n, 'dead', '', '{}', '2001-01-01'"
            " FROM generate_series(1, %s) AS n",
            [2 * database.BATCH + 1],
        )
    assert limiter.prune() == 2 * database.BATCH + 1


@only("sqlite")
def test_no_bucket_is_read_but_those_asked_for(clocked: Store) -> None:
    with connection.cursor() as cursor:
        places = "('a', 'b', 'c'), ('a', 'b', 'd')"
        cursor.execute(f"EXPLAIN QUERY PLAN {database.READ.format(places)}")
        plan = [row[3] for row in cursor.fetchall()]
    assert [step.split()[0] for step in plan if "throttling_bucket" in step] == ["SEARCH"]


def expires_ms(claim: Claim) -> float:
    return Bucket.objects.get(owner=claim.owner).expires_at.timestamp() * 1000


@only("sqlite", "postgres")
def test_a_row_outlives_whatever_it_says(clocked: Store) -> None:
    for limit in (ATTEMPTS, FAILURES):
        fail(counted := Claim(limit, clocked.owner()))
        assert expires_ms(counted) > clocked.now_ms + limit.window_seconds * 1000
    underway = Claim(LOCKING, clocked.owner())
    limiter.reserve(underway)
    ends = clocked.now_ms + RESERVATION_SECONDS * 1000  # as a failure, which may begin the longest lock
    assert expires_ms(underway) > ends + (LOCKING.lock_max_seconds + LOCKING.forget_seconds) * 1000
    locked = Claim(LOCKING, clocked.owner())
    for _ in range(LOCKING.allowed):
        fail(locked)
    doubles = LOCKING.lock_seconds + LOCKING.forget_seconds
    assert expires_ms(locked) > clocked.now_ms + doubles * 1000


class Counter:
    def __init__(self) -> None:
        self.statements = 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        self.statements += 1
        return execute(sql, params, many, context)


@only("postgres")
def test_postgresql_needs_one_statement_to_reserve_and_one_to_settle(store: Store) -> None:
    owner = store.owner()
    limits = (ATTEMPTS, FAILURES, CONSECUTIVE, LOCKING, SPRAYING)
    clears = (Clear(owner, ("totp_consecutive",)), Clear("account:x", ("refresh",)))
    with connection.execute_wrapper(reserving := Counter()):
        reservation = limiter.reserve(*(Claim(limit, owner, member="m") for limit in limits))
    with connection.execute_wrapper(settling := Counter()):
        limiter.settle(reservation, failed=True, clear=clears)
    assert (reserving.statements, settling.statements) == (1, 1)
