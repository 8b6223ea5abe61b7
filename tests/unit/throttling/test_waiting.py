"""Correct logins that arrive together wait for one another; waiting is no weapon."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import override_settings

from tests.unit.throttling.conftest import Store
from throttling import limiter, lockout, waiting
from throttling.headers import watch_usage
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded

LIMIT = Limit("password_account_source", 5, 0, Counts.FAILURES, 900, 3600, forget_seconds=3600)


def log_in(claim: Claim) -> bool:
    try:
        reservation = waiting.reserve_waiting(claim)
        time.sleep(0.01)
        with transaction.atomic():
            limiter.settle(reservation, failed=False)
    except LimitExceeded:
        return False
    finally:
        connection.close()
    return True


@pytest.fixture
def waiters(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads wait, noted each time one does."""
    seen: list[int] = []
    original = waiting._comes_first

    def record(line: list[int], deadline: float) -> bool:
        seen.append(sum(map(len, waiting._lines.values())))
        return original(line, deadline)

    monkeypatch.setattr(waiting, "_comes_first", record)
    return seen


def test_correct_logins_together_all_succeed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 20.0)  # a busy test machine
    claim = Claim(LIMIT, store.owner())
    with ThreadPoolExecutor(20) as pool, override_settings(SERVER_THREADS=256):
        assert all(pool.map(log_in, [claim] * 30))


def test_waiting_ends_after_a_second_with_retry_after_1(store: Store) -> None:
    claim = Claim(LIMIT, store.owner())
    for _ in range(5):
        limiter.reserve(claim)
    began = time.monotonic()
    with pytest.raises(LimitExceeded) as refusal:
        waiting.reserve_waiting(claim)
    assert 0.8 < time.monotonic() - began < 5
    assert (refusal.value.in_flight, refusal.value.retry_after_seconds) == (True, 1)


def test_a_lock_is_not_waited_for(store: Store, waiters: list[int]) -> None:
    claim = Claim(LIMIT, store.owner())
    for _ in range(5):
        limiter.settle(limiter.reserve(claim), failed=True)
    with pytest.raises(LimitExceeded):
        waiting.reserve_waiting(claim)
    assert not waiters


def test_no_more_than_a_quarter_of_the_threads_wait(store: Store, waiters: list[int]) -> None:
    claim = Claim(LIMIT, store.owner())
    for _ in range(5):
        limiter.reserve(claim)

    def wait() -> None:
        with pytest.raises(LimitExceeded):
            waiting.reserve_waiting(claim)
        connection.close()

    threads = [threading.Thread(target=wait) for _ in range(8)]
    with override_settings(SERVER_THREADS=8):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert max(waiters) == 2
    assert not waiting._lines


def test_refusal_that_was_waited_out_is_not_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given back afterwards counts like any request: whoever had to wait for it too."""
    claim = Claim(LIMIT, store.owner())
    held = [limiter.reserve(claim) for _ in range(5)]

    def comes_first(line: list[int], deadline: float) -> bool:
        limiter.release(held.pop())
        return True

    monkeypatch.setattr(waiting, "_comes_first", comes_first)
    with watch_usage() as noted:
        reservation = waiting.reserve_waiting(claim)
        assert len(held) == 4
        assert noted == list(reservation.usage)
        lockout.release(reservation)
    assert noted == []
