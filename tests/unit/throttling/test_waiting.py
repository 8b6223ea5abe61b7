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


@pytest.mark.parametrize(("threads", "a_key"), [(8, 64), (64, 2)])
def test_no_more_than_a_quarter_of_the_threads_wait_nor_too_many_for_one_key(
    store: Store, waiters: list[int], monkeypatch: pytest.MonkeyPatch, threads: int, a_key: int
) -> None:
    monkeypatch.setattr(waiting, "MOST_WAITERS", a_key)
    claim = Claim(LIMIT, store.owner())
    for _ in range(5):
        limiter.reserve(claim)

    def wait() -> None:
        with pytest.raises(LimitExceeded):
            waiting.reserve_waiting(claim)
        connection.close()

    asking = [threading.Thread(target=wait) for _ in range(8)]
    with override_settings(SERVER_THREADS=threads):
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert max(waiters) == 2
    assert not waiting._lines


def test_whoever_waited_for_a_result_waits_for_no_place_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.5)
    claim, key = Claim(LIMIT, store.owner()), store.name.encode()
    for _ in range(5):
        limiter.reserve(claim)
    deadlines: list[float] = []
    monkeypatch.setattr(waiting, "_comes_first", lambda _, deadline: deadlines.append(deadline))
    running, over = threading.Event(), threading.Event()

    def run() -> None:
        running.set()
        over.wait(20)

    with ThreadPoolExecutor(1) as pool, override_settings(SERVER_THREADS=64):
        first = pool.submit(waiting.run_or_follow, key, run, is_for_all=bool)
        running.wait(20)
        began = time.monotonic()
        with pytest.raises(LimitExceeded):
            waiting.run_or_follow(key, lambda: waiting.reserve_waiting(claim), is_for_all=bool)
        over.set()
        first.result()
    assert [deadline < began + 0.75 for deadline in deadlines] == [True]


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
