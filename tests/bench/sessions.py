"""What sessions cost beside a stock project's (tests/bench/stock), and a token's check beside PyJWT's.

Both projects run at once, each with two workers of the web server that its manual tells, and are asked in turns by
twenty clients, so that whatever slows the machine slows both; each ratio is the median of those of the rounds. On
SQLite there are eight: the stock project answers 500 to more, since its transactions find the database locked. It
blacklists each used refresh token; its access tokens cannot be revoked and nothing limits its requests. The demands:
three times its refreshes, a `me/` no slower than its, and a check of an access token at most 30 % dearer than PyJWT's.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import load
from tests.bench.endpoints import (
    SESSIONS,
    Figure,
    Scripts,
    answers,
    play,
    refreshing,
    repeat,
    session_pairs,
)
from tests.bench.people import create_accounts
from tests.bench.report import bench_server, new_source, show_table
from tests.bench.stock.node import stock_node
from tests.client import PASSWORD
from tests.server import BACKENDS, INHERITED, ROOT, stores

ROUNDS = 7
CLIENTS = {"sqlite": 8, "postgres": 20, "postgres+redis": 20}
REQUESTS = 600
Subjects = dict[str, tuple[str, int, Scripts]]  # by endpoint: where it answers, its process, what is asked


def subjects(url: str, pid: int, pairs: list[dict[str, str]], clients: int) -> Subjects:
    """The two endpoints of either project, asked by a client for each pair, from a new source each time."""
    access = pairs[0]["access"]

    def me() -> bytes:
        return load.build("GET", "/api/v1/me/", token=access, address=new_source())

    def refreshes() -> list[load.Script]:
        return refreshing(pairs, clients, REQUESTS)

    return {"token/refresh/": (url, pid, refreshes), "me/": (url, pid, repeat(me, REQUESTS, clients))}


@contextlib.contextmanager
def ours(backend: str) -> Iterator[Subjects]:
    with bench_server(backend) as server:
        pairs = session_pairs(server.url, create_accounts(server, SESSIONS))
        yield subjects(server.url, server.nodes[0].process.pid, pairs, CLIENTS[backend])


@contextlib.contextmanager
def stock(backend: str) -> Iterator[Subjects]:
    """On the same database; it has no use for Redis."""
    with stores(backend) as urls, tempfile.TemporaryDirectory() as directory:
        database = urls.get("DATABASE_URL", "")
        with stock_node(database, Path(directory), PASSWORD) as node:
            login = load.build("POST", "/api/v1/login/", body={"username": "stock", "password": PASSWORD})
            pairs = answers(node.url, [login] * SESSIONS)
            yield subjects(node.url, node.pid, pairs, CLIENTS[backend])


def compare() -> Iterator[list[object]]:
    """Two lines an endpoint and backend; the last cells are ours by the stock project's."""
    for backend in BACKENDS:
        with ours(backend) as mine, stock(backend) as theirs:
            for name in mine:
                rounds = [
                    (play(*mine[name], CLIENTS[backend]), play(*theirs[name], CLIENTS[backend]))
                    for _ in range(ROUNDS + 1)
                ][1:]
                own, peer = (Figure.median(side) for side in zip(*rounds, strict=True))
                rate = statistics.median(one.rate / other.rate for one, other in rounds)
                cpu = statistics.median(one.cpu_ms / other.cpu_ms for one, other in rounds)
                yield [backend, name, *own.cells(), f"{rate:.2f}", f"{cpu:.2f}"]
                yield [backend, f"stock {name}", *peer.cells(), "1", "1"]


def main() -> None:
    head = [
        "backend",
        "endpoint",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "answers/s by stock",
        "CPU by stock",
    ]
    show_table("Sessions", head, compare())
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with tempfile.TemporaryDirectory() as directory:
        environment = {**inherited, "DATA_DIR": directory}
        subprocess.run([sys.executable, "-m", "tests.bench.checks"], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
