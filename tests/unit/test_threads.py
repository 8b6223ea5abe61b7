"""Requests take turns on the threads of a worker: few compute at once, and nobody waits for one that waits itself."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from secure_auth.threads import AT_ONCE, PATIENCE_SECONDS, LastIn, Threads
from secure_auth.turns import step_aside
from tests.conftest import scaled

THREADS = 4 * AT_ONCE
LONG_SECONDS = 20.0


class Request:
    """What a thread serves; `began` and `ended` say how far it came."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.began, self.ended = threading.Event(), threading.Event()

    def service(self) -> None:
        self.began.set()
        self.work()
        self.ended.set()

    def cancel(self) -> None: ...


@pytest.fixture
def threads() -> Iterator[Threads]:
    running = Threads()
    running.set_thread_count(THREADS)
    yield running
    running.shutdown(timeout=LONG_SECONDS)
    assert not running.threads


def at_once(requests: list[Request]) -> int:
    return sum(request.began.is_set() and not request.ended.is_set() for request in requests)


def fill(threads: Threads, work: Callable[[], object], count: int = AT_ONCE) -> list[Request]:
    """So many requests, all begun."""
    requests = [Request(work) for _ in range(count)]
    for request in requests:
        threads.add_task(request)
    for request in requests:
        assert request.began.wait(LONG_SECONDS)
    return requests


def test_few_compute_at_once_and_each_is_served(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secure_auth.threads.PATIENCE_SECONDS", LONG_SECONDS)
    most, requests = [0], list[Request]()

    def work() -> None:
        most.append(at_once(requests))
        time.sleep(0.0005 * random.random())

    requests += [Request(work) for _ in range(scaled(400, 20_000))]
    for request in requests:
        threads.add_task(request)
    for request in requests:
        assert request.ended.wait(LONG_SECONDS)
    assert max(most) <= AT_ONCE


def test_in_the_order_in_which_they_came(threads: Threads) -> None:
    gate, order = threading.Event(), list[int]()
    fill(threads, lambda: gate.wait(LONG_SECONDS))
    requests = [Request(lambda number=number: order.append(number)) for number in range(50)]  # type: ignore[misc]
    with threads.lock:
        threads.queue.extend(requests)
    gate.set()
    for request in requests:
        assert request.ended.wait(LONG_SECONDS)
    assert sorted(order) == list(range(50))
    assert order[0] < AT_ONCE
    assert order[-1] >= 50 - AT_ONCE


def test_what_takes_long_holds_nobody_up(threads: Threads) -> None:
    """The loop looks, as it does while somebody stands in line."""
    gate = threading.Event()
    slow = fill(threads, lambda: gate.wait(LONG_SECONDS))
    for _ in range(2):
        quick = Request(lambda: None)
        threads.add_task(quick)
        while not quick.ended.is_set():
            assert threads.look() or quick.began.wait(LONG_SECONDS)
            time.sleep(PATIENCE_SECONDS / 5)
    assert at_once(slow) == AT_ONCE
    assert not threads.look()
    gate.set()


def test_who_steps_aside_lets_another_begin_at_once(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_auth.threads.PATIENCE_SECONDS", LONG_SECONDS)
    gate, sign = threading.Event(), threading.Event()

    def wait() -> None:
        assert sign.wait(LONG_SECONDS)
        step_aside()
        step_aside()  # gives no second turn away
        assert gate.wait(LONG_SECONDS)

    waiting = fill(threads, wait)
    others = [Request(lambda: gate.wait(LONG_SECONDS)) for _ in range(AT_ONCE + 1)]
    for other in others:
        threads.add_task(other)
    assert not others[0].began.wait(0.05)
    sign.set()
    for other in others[:AT_ONCE]:
        assert other.began.wait(LONG_SECONDS)
    assert not others[AT_ONCE].began.wait(0.05)
    gate.set()
    for request in [*waiting, *others]:
        assert request.ended.wait(LONG_SECONDS)


def test_turn_is_free_again_after_a_request_that_failed(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_auth.threads.PATIENCE_SECONDS", LONG_SECONDS)

    def fail() -> None:
        raise SystemExit("worse than an error")

    fill(threads, fail, 5 * AT_ONCE)
    last = Request(lambda: None)
    threads.add_task(last)
    assert last.ended.wait(LONG_SECONDS)


def test_whatever_requests_do_none_is_forgotten(threads: Threads) -> None:
    """Random ones: quick, slow, stepping aside; from one loop, which looks as the worker's does."""
    dice = random.Random(7)

    def aside_and_slow() -> None:
        step_aside()
        time.sleep(0.01)

    kinds: list[Callable[[], object]] = [
        lambda: None,
        step_aside,
        lambda: time.sleep(0.002),
        aside_and_slow,
        lambda: time.sleep(2 * PATIENCE_SECONDS),
    ]
    requests = [Request(dice.choice(kinds)) for _ in range(scaled(300, 5_000))]
    for request in requests:
        threads.add_task(request)
        if dice.random() < 0.05:
            time.sleep(0.01)
    deadline = time.monotonic() + 3 * LONG_SECONDS
    while threads.look():
        assert time.monotonic() < deadline
        time.sleep(PATIENCE_SECONDS / 5)
    for request in requests:
        assert request.ended.wait(LONG_SECONDS)


def test_elsewhere_stepping_aside_is_nothing() -> None:
    step_aside()


def test_who_came_last_is_woken_first() -> None:
    lock = threading.Lock()
    condition, woken, is_waiting = LastIn(lock), list[int](), threading.Semaphore(0)

    def rest(number: int) -> None:
        with lock:
            is_waiting.release()
            condition.wait()
            woken.append(number)
        is_waiting.release()

    threads = [threading.Thread(target=rest, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
        is_waiting.acquire()
    for _ in range(2):
        with lock:
            condition.notify()
        is_waiting.acquire()
    assert woken == [2, 1]
    with lock:
        condition.notify_all()
        condition.notify()  # nobody is left
    for thread in threads:
        thread.join(5)
    assert woken == [2, 1, 0]
    assert condition.woken == 0
