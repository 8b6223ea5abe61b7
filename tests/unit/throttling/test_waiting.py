"""Correct logins that arrive together wait for one another; waiting is no weapon."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import override_settings

from tests.unit.throttling.conftest import Store
from throttling import limiter, waiting
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


def test_correct_logins_together_all_succeed(store: Store) -> None:
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
    assert 0.8 < time.monotonic() - began < 1.6
    assert (refusal.value.in_flight, refusal.value.retry_after_seconds) == (True, 1)


def test_a_lock_is_not_waited_for(store: Store) -> None:
    claim = Claim(LIMIT, store.owner())
    for _ in range(5):
        limiter.settle(limiter.reserve(claim), failed=True)
    began = time.monotonic()
    with pytest.raises(LimitExceeded):
        waiting.reserve_waiting(claim)
    assert time.monotonic() - began < 0.5


def test_no_more_than_a_quarter_of_the_threads_wait(store: Store) -> None:
    claim = Claim(LIMIT, store.owner())
    for _ in range(5):
        limiter.reserve(claim)
    seconds: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        with pytest.raises(LimitExceeded):
            waiting.reserve_waiting(claim)
        seconds.append(time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=wait) for _ in range(8)]
    with override_settings(SERVER_THREADS=8):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(one > 0.75 for one in seconds) == 2
    assert not waiting._lines
