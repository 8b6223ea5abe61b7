"""One process of `tests.bench.tree`: `integrate EVENTS ROUNDS`, `append EVENTS` or `prove TIMES`. Prints JSON."""

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from audit import append as appending  # noqa: E402
from audit import integrate, tree  # noqa: E402
from audit.append import NewEvent, append  # noqa: E402
from audit.events import SYSTEM, EventType, Outcome, Reason, Source  # noqa: E402

SOURCE = Source(ip="192.0.2.7", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/143.0", request_id="r-1")
USER = "01a20a1f-f1d1-779e-930a-0e5f38848258"


def event() -> NewEvent:
    return NewEvent(
        type=EventType.LOGIN_PASSWORD,
        outcome=Outcome.FAILURE,
        reason=Reason.WRONG_PASSWORD,
        source=SOURCE,
        user=USER,
    )


def start() -> None:
    if tree.current_head() is None:
        with transaction.atomic():
            details = {"log": 1, "origin": "bench/log"}
            first = NewEvent(
                type=EventType.LOG_START, outcome=Outcome.SUCCESS, source=SYSTEM, details=details
            )
            integrate.start_log("bench/log", first, number=1)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure_integration(events: int, rounds: int) -> dict[str, float]:
    start()
    integrator = integrate.Integrator()
    rates, memory = [], []
    for _ in range(rounds):
        for _ in range(events // 500):
            with transaction.atomic():
                append(*(event() for _ in range(500)))
        began = time.perf_counter()
        while integrator.integrate():
            pass
        rates.append(events / (time.perf_counter() - began))
        memory.append(resident_mb())
    return {
        "median": statistics.median(rates),
        "worst": min(rates),
        "first_mb": memory[0],
        "last_mb": memory[-1],
    }


def measure_appending(events: int) -> dict[str, float]:
    began = time.perf_counter()
    for _ in range(events):
        with transaction.atomic():
            append(event())
    return {"rate": events / (time.perf_counter() - began)}


def measure_proofs(times: int) -> dict[str, float]:
    head = tree.current_head()
    assert head
    generator = random.Random(1)
    spent, statements = [], [0]

    def count(execute: Callable[..., Any], *arguments: Any) -> Any:
        statements[0] += 1
        return execute(*arguments)

    cpu = time.process_time()
    with connection.execute_wrapper(count):
        for _ in range(times):
            began = time.perf_counter()
            tree.inclusion_proof(head.log, generator.randrange(head.size), head.size)
            spent.append((time.perf_counter() - began) * 1000)
    return {
        "median_ms": statistics.median(spent),
        "p99_ms": sorted(spent)[int(times * 0.99)],
        "cpu_ms": (time.process_time() - cpu) * 1000 / times,
        "reads": statements[0] / times,
    }


def main() -> None:
    appending._print_on_commit = lambda records: None
    kind, *numbers = sys.argv[1:]
    measures: dict[str, Callable[..., dict[str, float]]] = {
        "integrate": measure_integration,
        "append": measure_appending,
        "prove": measure_proofs,
    }
    print(json.dumps(measures[kind](*map(int, numbers))))


main()
