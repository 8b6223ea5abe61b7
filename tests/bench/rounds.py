"""Alternating rounds of decisions in one process: wall and CPU time of each, on one thread and on THREADS.

Every subject is measured once a round, each time another one first, so that whatever slows the machine slows all of
them; medians count. A subject meets each of its keys four times in all, in the same order as the others. Wall time is
elapsed time by decisions, CPU time that of this process alone: what the stores' servers compute shows in the wall time
of one thread.
"""

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

ROUNDS = 25  # short ones: the machine changes its pace from second to second, by a factor of two
THREADS = 8
MEETINGS = 4


@dataclass(frozen=True)
class Subject:
    """What is measured: ``decide`` takes the number of a key; ``around`` is entered once a round."""

    name: str
    decide: Callable[[int], object]
    decisions: int
    around: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


@dataclass(frozen=True)
class Cost:
    """Medians, in microseconds a decision."""

    wall: float
    cpu: float
    wall_threads: float
    cpu_threads: float

    def by(self, other: "Cost") -> list[float]:
        """Each figure divided by the other's."""
        pairs = zip(self.figures(), other.figures(), strict=True)
        return [mine / theirs for mine, theirs in pairs]

    def figures(self) -> tuple[float, float, float, float]:
        return (self.wall, self.cpu, self.wall_threads, self.cpu_threads)


def fastest(costs: Sequence[Cost]) -> Cost:
    """The best of each figure: a peer that nobody beats anywhere."""
    return Cost(*(min(column) for column in zip(*(one.figures() for one in costs), strict=True)))


def measure(subjects: Sequence[Subject]) -> dict[str, Cost]:
    """What each subject costs, by name; a round to warm up is not counted."""
    found: dict[str, list[tuple[float, ...]]] = {subject.name: [] for subject in subjects}
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(ROUNDS + 1):
            first = number % len(
                subjects
            )  # what went before decides on which core the stores' servers are woken
            for subject in (*subjects[first:], *subjects[:first]):
                with subject.around():
                    alone = _time(subject, 2 * number, 1, pool)
                    together = _time(subject, 2 * number + 1, THREADS, pool)
                if number:
                    found[subject.name].append((*alone, *together))
    return {name: Cost(*map(statistics.median, zip(*rows, strict=True))) for name, rows in found.items()}


def _time(subject: Subject, part: int, threads: int, pool: ThreadPoolExecutor) -> tuple[float, float]:
    """Microseconds of wall and CPU time a decision. The threads are always the same and keep their connections."""
    share = subject.decisions // threads
    keys = subject.decisions * 2 * (ROUNDS + 1) // MEETINGS
    ready = threading.Barrier(threads)

    def run(thread: int) -> None:
        ready.wait()
        first = part * subject.decisions + thread * share
        for number in range(first, first + share):
            subject.decide(number % keys)

    wall, cpu = time.perf_counter(), time.process_time()
    list(pool.map(run, range(threads)))
    spent = (time.perf_counter() - wall, time.process_time() - cpu)
    return 1e6 * spent[0] / (share * threads), 1e6 * spent[1] / (share * threads)
