"""Many requests at one moment: threads that wait for each other, then fire."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import httpx

from tests.client import Client, code_of
from tests.server import Server

Answer = TypeVar("Answer")


def fire(calls: Iterable[Callable[[], Answer]]) -> list[Answer]:
    """Call all at once, each in a thread of its own; the answers in order. What one raises is raised."""
    waiting = list(calls)
    barrier = threading.Barrier(len(waiting))

    def pull(call: Callable[[], Answer]) -> Answer:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(waiting)) as pool:
        return list(pool.map(pull, waiting))


def stream(calls: Iterable[Callable[[], Answer]], *, at_once: int = 8) -> list[Answer]:
    """Call all, `at_once` at a time: fewer than a node has places for hashes."""
    with ThreadPoolExecutor(at_once) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    """How many answers had which status."""
    return Counter(answer.status_code for answer in answers)


def codes(answers: Iterable[httpx.Response]) -> Counter[str]:
    """How many refusals had which code."""
    return Counter(code_of(answer) for answer in answers if answer.status_code >= 400)


def answered(server: Server, address: str, requests: int) -> int:
    """How many of so many requests at once from an address were not refused by its limit."""
    client = Client(server, address)
    found = statuses(fire([partial(client.get, "me/") for _ in range(requests)]))
    client.close()
    assert set(found) <= {401, 429}
    return found[401]
