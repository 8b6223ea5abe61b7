"""What it brings that requests take turns: `python -m tests.bench.turns [NUMBER]…`, how many compute at once.

A service each and one without turns, of the same code, asked in turns, so that whatever slows the machine slows all.
The last backend is a PostgreSQL that is FAR_SECONDS away: there nobody may lose by them.
"""

import contextlib
import os
import statistics
import sys
from collections.abc import Iterator

from tests.bench.endpoints import Figure, play, session_pairs
from tests.bench.people import create_accounts
from tests.bench.report import bench_server, show_table
from tests.bench.sessions import CLIENTS, Subjects, subjects
from tests.faults.outages import Relay
from tests.server import BACKENDS
from tests.services import private_database

ROUNDS = 6
SESSIONS = 160
FAR = "PostgreSQL, far"
FAR_SECONDS, FAR_CLIENTS = 0.02, 40
WITHOUT = 1000  # more than there are threads


def be_a_service() -> None:
    """`manage.py` with another number."""
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
    from secure_auth import threads

    threads.AT_ONCE = int(os.environ["TURNS"])
    execute_from_command_line(["manage.py", *sys.argv[1:]])


@contextlib.contextmanager
def taking(turns: int, backend: str) -> Iterator[Subjects]:
    with contextlib.ExitStack() as stack:
        variables, clients, sessions = {"TURNS": str(turns)}, CLIENTS.get(backend, FAR_CLIENTS), SESSIONS
        if backend == FAR:
            relay = stack.enter_context(contextlib.closing(Relay(FAR_SECONDS)))
            variables["DATABASE_URL"] = relay.url(stack.enter_context(private_database()))
            variables["DATABASE_POOL_SIZE"] = "40"
            backend, sessions = "sqlite", 1
        server = stack.enter_context(bench_server(backend, program=("-m", "tests.bench.turns"), **variables))
        pairs = session_pairs(server.url, create_accounts(server, sessions))
        found = subjects(server.url, server.nodes[0].process.pid, pairs, clients)
        yield found if sessions > 1 else {"me/": found["me/"]}  # one session may not refresh that often


def compare(numbers: list[int]) -> Iterator[list[object]]:
    """A line an endpoint, backend and number; the last cells are its figures by those without turns."""
    for backend in (*BACKENDS, FAR):
        clients = CLIENTS.get(backend, FAR_CLIENTS)
        with contextlib.ExitStack() as stack:
            services = [stack.enter_context(taking(number, backend)) for number in (WITHOUT, *numbers)]
            for name in services[0]:
                rounds = [[play(*service[name], clients) for service in services] for _ in range(ROUNDS + 1)][
                    1:
                ]
                without = [figures[0] for figures in rounds]
                for number, figures in zip((WITHOUT, *numbers), zip(*rounds, strict=True), strict=True):
                    pairs = list(zip(figures, without, strict=True))
                    rate = statistics.median(one.rate / other.rate for one, other in pairs)
                    cpu = statistics.median(one.cpu_ms / other.cpu_ms for one, other in pairs)
                    label = "without" if number == WITHOUT else number
                    yield [backend, name, label, *Figure.median(figures).cells(), f"{rate:.2f}", f"{cpu:.2f}"]


def main() -> None:
    head = [
        "backend",
        "endpoint",
        "at once",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "answers/s by without",
    ]
    numbers = [int(argument) for argument in sys.argv[1:]] or [3]
    show_table("Requests that take turns", [*head, "CPU by without"], compare(numbers))


if __name__ == "__main__":
    be_a_service() if "TURNS" in os.environ else main()
