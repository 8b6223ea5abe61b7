"""What the log adds to a request: `python -m tests.bench.appending`.

Two services at once, asked in turns: one as it is, one whose events are neither prepared nor inserted nor printed
(`tests.bench.silent`). The demand: at most 10 % of a request's time. A refresh is the shortest request that writes one.
Rounds are many and short, so that both meet the same of what else the machine does.
"""

import contextlib
import itertools
import statistics
from collections.abc import Iterator

from tests.bench.endpoints import (
    SESSIONS,
    Figure,
    Scripts,
    password_step,
    play,
    refreshing,
    repeat,
    session_pairs,
)
from tests.bench.people import create_accounts
from tests.bench.report import bench_server, show_table
from tests.server import BACKENDS

ROUNDS = {"login/": 9, "token/refresh/": 40}
REQUESTS = 240
DEMANDED = 1.10
PROGRAMS = (("manage.py",), ("-m", "tests.bench.silent"))
Subjects = dict[str, tuple[str, int, Scripts]]


@contextlib.contextmanager
def service(backend: str, program: tuple[str, ...], clients: int) -> Iterator[Subjects]:
    with bench_server(backend, program=program) as server:
        accounts = create_accounts(server, SESSIONS)
        pairs = session_pairs(server.url, accounts)
        logins = itertools.cycle(accounts)
        where = (server.url, server.nodes[0].process.pid)
        yield {
            "login/": (*where, repeat(lambda: password_step(next(logins)), REQUESTS // 4, clients)),
            "token/refresh/": (*where, lambda: refreshing(pairs, clients, REQUESTS)),
        }


def compare() -> Iterator[list[object]]:
    """One line a backend, endpoint and number of clients."""
    for backend in BACKENDS:
        for clients in (1, 8):
            with (
                service(backend, PROGRAMS[0], clients) as whole,
                service(backend, PROGRAMS[1], clients) as silent,
            ):
                for name in whole:
                    rounds = [
                        in_turns(whole[name], silent[name], clients, swapped=bool(number % 2))
                        for number in range(ROUNDS[name] + 1)
                    ]
                    yield [backend, name, clients, *figures(rounds[1:])]


def in_turns(
    whole: tuple[str, int, Scripts], silent: tuple[str, int, Scripts], clients: int, *, swapped: bool
) -> tuple[Figure, Figure]:
    if swapped:
        second = play(*silent, clients)
        return play(*whole, clients), second
    return play(*whole, clients), play(*silent, clients)


def figures(rounds: list[tuple[Figure, Figure]]) -> list[object]:
    times = statistics.median(silent.rate / whole.rate for whole, silent in rounds)
    cpu = statistics.median(whole.cpu_ms / silent.cpu_ms for whole, silent in rounds)
    whole, silent = (Figure.median(side) for side in zip(*rounds, strict=True))
    told = "yes" if times <= DEMANDED else "NO"
    return [
        f"{whole.median_ms:.2f}",
        f"{silent.median_ms:.2f}",
        f"{times:.2f}",
        f"{whole.cpu_ms:.2f}",
        f"{silent.cpu_ms:.2f}",
        f"{cpu:.2f}",
        told,
    ]


def main() -> None:
    head = ["backend", "request", "clients", "p50 ms", "without the log", "time by without"]
    head += ["CPU ms", "without the log", "CPU by without", f"time <= {DEMANDED:.2f}"]
    show_table("What appending adds to a request", head, compare())


if __name__ == "__main__":
    main()
