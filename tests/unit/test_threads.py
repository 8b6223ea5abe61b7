"""Requests take turns on the threads of a worker: few compute at once, and nobody waits for one that waits itself."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from secure_auth.threads import AT_ONCE, PATIENCE_SECONDS, LastIn, Threads
from tests.conftest import scaled
from throttling.turns import Away, Store

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
    lock, computing, most = threading.Lock(), list[int](), [0]

    def work() -> None:
        with lock:
            computing.append(1)
            most.append(len(computing))
        time.sleep(0.0005 * random.random())
        with lock:
            computing.pop()

    requests = [Request(work) for _ in range(scaled(400, 20_000))]
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


def serve(threads: Threads, requests: list[Request]) -> None:
    """Do as the worker's loop does until all have ended."""
    deadline = time.monotonic() + 3 * LONG_SECONDS
    while threads.look():
        assert time.monotonic() < deadline
        time.sleep(PATIENCE_SECONDS)
    for request in requests:
        assert request.ended.wait(LONG_SECONDS)


def test_what_takes_long_holds_nobody_up(threads: Threads) -> None:
    gate = threading.Event()
    slow = fill(threads, lambda: gate.wait(LONG_SECONDS))
    for _ in range(2):
        quick = Request(lambda: None)
        threads.add_task(quick)
        serve(threads, [quick])
    assert at_once(slow) == AT_ONCE
    gate.set()


def far() -> Store:
    store = Store()
    for _ in range(1000):
        store.note(0.004)
    return store


@pytest.mark.parametrize("where", ["nowhere", "far"])
def test_who_waits_lets_another_begin_at_once(
    threads: Threads, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Nobody looks; as many wait as there are threads; who computes again afterwards is counted again."""
    store = far() if where == "far" else None
    monkeypatch.setattr("secure_auth.threads.PATIENCE_SECONDS", LONG_SECONDS)
    gate, last = threading.Event(), threading.Event()

    def wait() -> None:
        with Away(store), Away(store):
            assert gate.wait(LONG_SECONDS)
        assert last.wait(LONG_SECONDS)

    waiting = [Request(wait) for _ in range(THREADS)]
    for request in waiting[:-1]:
        threads.add_task(request)
    for request in waiting[:-1]:
        assert request.began.wait(LONG_SECONDS)
    gate.set()
    time.sleep(0.05)
    threads.add_task(waiting[-1])
    assert not waiting[-1].began.wait(0.05)
    last.set()
    for request in waiting:
        assert request.ended.wait(LONG_SECONDS)


def test_who_waits_for_a_store_that_is_near_keeps_its_turn(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secure_auth.threads.PATIENCE_SECONDS", LONG_SECONDS)
    gate, store = threading.Event(), Store()
    for _ in range(100):
        store.note(0.0005)
        store.note(0.02)  # the process was busy
    assert not store.is_far

    def wait() -> None:
        with Away(store):
            assert gate.wait(LONG_SECONDS)

    waiting = fill(threads, wait)
    other = Request(lambda: None)
    threads.add_task(other)
    assert not other.began.wait(0.05)
    monkeypatch.undo()
    serve(threads, [other])  # the loop looks: they have taken long
    gate.set()
    for request in waiting:
        assert request.ended.wait(LONG_SECONDS)


def test_store_that_moves_away_and_back_is_noticed() -> None:
    store = far()
    found = [store.is_far]
    store.note(0.0004)
    found.append(store.is_far)
    for _ in range(200):
        store.note(0.004)
    assert [*found, store.is_far] == [True, False, True]


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
    """Random ones: quick, slow, waiting; from one loop, which looks as the worker's does."""
    dice = random.Random(7)

    def wait() -> None:
        with Away():
            time.sleep(0.01 * dice.random())

    kinds: list[Callable[[], object]] = [
        lambda: None,
        lambda: time.sleep(0.002),
        wait,
        lambda: time.sleep(2 * PATIENCE_SECONDS),
    ]
    requests = [Request(dice.choice(kinds)) for _ in range(scaled(300, 5_000))]
    for request in requests:
        threads.add_task(request)
        if dice.random() < 0.05:
            time.sleep(0.01)
    serve(threads, requests)


def test_elsewhere_to_wait_is_to_wait() -> None:
    with Away(), Away(far()):
        pass


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
