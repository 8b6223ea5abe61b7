"""Throughput, latency and CPU time of the main endpoints on each backend, beside a stock project (tests/bench/stock).

CPU time is that of all web processes for one request; it says what a core can carry, whatever else the machine does.
"""

import contextlib
import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.bench import load
from tests.bench.people import Account, create_accounts
from tests.bench.report import bench_server, new_source, show_table
from tests.bench.stock.node import stock_node
from tests.client import PASSWORD
from tests.processes import cpu_seconds, descendants
from tests.server import BACKENDS, stores

RUNS = 3
REQUESTS = 96
CONCURRENCY = 8
SESSIONS = 320
Scripts = Callable[[], list[load.Script]]


@dataclass(frozen=True)
class Figure:
    """Medians of the runs."""

    rate: float
    median_ms: float
    p99_ms: float
    cpu_ms: float

    def cells(self) -> list[object]:
        return [f"{self.rate:.0f}", f"{self.median_ms:.1f}", f"{self.p99_ms:.1f}", f"{self.cpu_ms:.1f}"]

    @classmethod
    def median(cls, runs: Iterable["Figure"]) -> "Figure":
        return cls(*(statistics.median(values) for values in zip(*map(astuple, runs), strict=True)))


def play(url: str, pid: int, scripts: Scripts, concurrency: int = CONCURRENCY) -> Figure:
    """One run."""
    playing = scripts()
    pids = descendants(pid)
    began = cpu_seconds(pids)
    result = load.run(url, playing, concurrency=concurrency)
    cpu = 1000 * (cpu_seconds(pids) - began) / len(result.latencies)
    assert set(result.statuses) == {200}, result.statuses
    return Figure(result.rate, result.median_ms, result.percentile_ms(0.99), cpu)


def measure(url: str, pid: int, scripts: Scripts) -> Figure:
    """Play the same scripts RUNS times, after once to warm up."""
    play(url, pid, scripts)
    return Figure.median(play(url, pid, scripts) for _ in range(RUNS))


def repeat(request: Callable[[], bytes], requests: int = REQUESTS, concurrency: int = CONCURRENCY) -> Scripts:
    """So many requests over so many connections."""

    def script() -> load.Script:
        for _ in range(requests // concurrency):
            yield request()

    return lambda: [script() for _ in range(concurrency)]


def password_step(account: Account) -> bytes:
    body = {"email": account.email, "password": PASSWORD}
    return load.build("POST", "/api/v1/login/", body=body, address=new_source())


def second_step(partial: str, account: Account) -> bytes:
    body = {"method": "totp", "code": account.authenticator.code()}
    return load.build("POST", "/api/v1/login/verify/", body=body, token=partial, address=new_source())


def answers(url: str, requests: list[bytes]) -> list[dict[str, str]]:
    """What a list of requests is answered, in order."""
    found: list[dict[str, str]] = []

    def script() -> load.Script:
        for request in requests:
            answer = yield request
            found.append(answer.json())

    result = load.run(url, [script()], concurrency=1)
    assert set(result.statuses) == {200}, result.statuses
    return found


def refreshing(pairs: list[dict[str, str]], clients: int, refreshes: int) -> list[load.Script]:
    """Each client refreshes sessions of its own in turns; `pairs` hold their newest tokens afterwards.

    With SESSIONS of them none comes near what a session may do in a minute.
    """

    def script(own: list[dict[str, str]]) -> load.Script:
        for number in range(refreshes // clients):
            pair = own[number % len(own)]
            body = {"refresh": pair["refresh"]}
            answer = yield load.build("POST", "/api/v1/token/refresh/", body=body, address=new_source())
            pair["refresh"] = answer.json()["refresh"]

    return [script(pairs[client::clients]) for client in range(clients)]


def one_shot(request: bytes) -> load.Script:
    """A request on a connection of its own."""
    yield request


def session_pairs(url: str, accounts: list[Account]) -> list[dict[str, str]]:
    partials = answers(url, [password_step(account) for account in accounts])
    steps = zip(partials, accounts, strict=True)
    return answers(url, [second_step(partial["partial_token"], account) for partial, account in steps])


def ours(backend: str) -> Iterator[tuple[str, Figure]]:
    """Each endpoint of this service."""
    with bench_server(backend) as server:
        url, pid = server.url, server.nodes[0].process.pid
        accounts = create_accounts(server, REQUESTS * (RUNS + 1) + CONCURRENCY)
        known = session_pairs(url, accounts[:CONCURRENCY])
        fresh, cycle = iter(accounts[CONCURRENCY:]), itertools.cycle(accounts)
        access = known[0]["access"]

        def verifying() -> list[load.Script]:
            some = [next(fresh) for _ in range(REQUESTS)]
            partials = answers(url, [password_step(account) for account in some])
            steps = zip(partials, some, strict=True)
            return [one_shot(second_step(one["partial_token"], account)) for one, account in steps]

        def refreshes() -> list[load.Script]:
            return refreshing(known, CONCURRENCY, REQUESTS)

        def me() -> bytes:
            return load.build("GET", "/api/v1/me/", token=access, address=new_source())

        yield "login/", measure(url, pid, repeat(lambda: password_step(next(cycle))))
        yield "me/", measure(url, pid, repeat(me))
        yield "token/refresh/", measure(url, pid, refreshes)
        yield "login/verify/", measure(url, pid, verifying)


def stock(backend: str) -> Iterator[tuple[str, Figure]]:
    """The two endpoints of the stock project that it has in common with this service."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(stores(backend)).get("DATABASE_URL", "")
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = stack.enter_context(stock_node(database, directory, PASSWORD))
        body = {"username": "stock", "password": PASSWORD}

        def login() -> bytes:
            return load.build("POST", "/api/v1/login/", body=body)

        access = answers(node.url, [login()])[0]["access"]
        yield "login/", measure(node.url, node.pid, repeat(login))
        yield (
            "me/",
            measure(node.url, node.pid, repeat(lambda: load.build("GET", "/api/v1/me/", token=access))),
        )


def compare() -> Iterator[list[object]]:
    """One line an endpoint and backend; the last cell is our CPU time by the stock project's."""
    for backend in BACKENDS:
        peers = dict(stock(backend)) if backend in ("sqlite", "postgres") else {}
        for name, figure in ours(backend):
            peer = peers.get(name)
            yield [backend, name, *figure.cells(), f"{figure.cpu_ms / peer.cpu_ms:.2f}" if peer else ""]
        for name, figure in peers.items():
            yield [backend, f"stock {name}", *figure.cells(), "1"]


def main() -> None:
    head = ["backend", "endpoint", "answers/s", "p50 ms", "p99 ms", "CPU ms", "CPU by stock's"]
    show_table(f"Endpoints, {CONCURRENCY} connections", head, compare())


if __name__ == "__main__":
    main()
