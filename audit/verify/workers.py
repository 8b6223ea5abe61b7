"""Judges ranges in this process, or in several that share one snapshot. Results come in the order of the tasks."""

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from audit.verify.ranges import Found, Task, judge_range
from audit.verify.store import Store

Opener = Callable[..., Store]  # that of a database whose snapshot can be shared takes `snapshot`
AHEAD = 3  # ranges a process may be ahead of the joining: what bounds memory
_store: list[Store] = []  # of a worker process


def judge_here(store: Store, tasks: Iterable[Task]) -> Iterator[Found]:
    """One after the other."""
    for task in tasks:
        yield judge_range(store, task)


def judge_apart(opener: Opener, processes: int, tasks: Iterable[Task]) -> Iterator[Found]:
    """In `processes` new processes, each with a store of its own."""
    context = multiprocessing.get_context("spawn")  # no threads or connections of this process
    pool = ProcessPoolExecutor(processes, context, initializer=_open, initargs=(opener,))
    ahead: deque[Future[Found]] = deque()
    left = iter(tasks)
    try:
        for task in itertools.islice(left, processes * AHEAD):
            ahead.append(pool.submit(_judge, task))
        while ahead:
            done = ahead.popleft().result()
            for task in itertools.islice(left, 1):
                ahead.append(pool.submit(_judge, task))
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _open(opener: Opener) -> None:
    _store.append(opener())


def _judge(task: Task) -> Found:
    return judge_range(_store[0], task)
