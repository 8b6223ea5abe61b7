"""What the build of Python costs: `python -m tests.bench.pythons PYTHON PYTHON…`, each of an environment of its own.

One service on each, of the same code, asked in turns, so that whatever slows the machine slows all of them.
"""

import argparse
import contextlib
import statistics
import sys
from collections.abc import Iterator

from tests.bench.endpoints import SESSIONS, play, session_pairs
from tests.bench.people import create_accounts
from tests.bench.report import bench_server, show_table
from tests.bench.sessions import CLIENTS, Subjects, subjects
from tests.server import BACKENDS

ROUNDS = 5


@contextlib.contextmanager
def served_by(python: str, backend: str) -> Iterator[Subjects]:
    sys.executable = python  # what nodes are started with
    with bench_server(backend) as server:
        pairs = session_pairs(server.url, create_accounts(server, SESSIONS))
        yield subjects(server.url, server.nodes[0].process.pid, pairs, CLIENTS[backend])


def compare(pythons: list[str]) -> Iterator[list[object]]:
    """One line an endpoint, backend and Python: medians."""
    for backend in BACKENDS:
        with contextlib.ExitStack() as stack:
            services = [stack.enter_context(served_by(python, backend)) for python in pythons]
            for name in services[0]:
                rounds = [
                    [play(*service[name], CLIENTS[backend]) for service in services]
                    for _ in range(ROUNDS + 1)
                ][1:]
                for python, figures in zip(pythons, zip(*rounds, strict=True), strict=True):
                    rate = statistics.median(figure.rate for figure in figures)
                    cpu_ms = statistics.median(figure.cpu_ms for figure in figures)
                    yield [backend, name, python, f"{rate:.0f}", f"{cpu_ms:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pythons", nargs="+", metavar="PYTHON", help="of an environment with the locked packages"
    )
    show_table(
        "Builds of Python",
        ["backend", "endpoint", "Python", "answers/s", "CPU ms"],
        compare(parser.parse_args().pythons),
    )


if __name__ == "__main__":
    main()
