"""Web servers for this service, compared on this service: the same code, 2 workers of 64 threads each, PostgreSQL.

`waitress` is what `manage.py serve` runs (gunicorn's arbiter, waitress in the workers). granian is measured where it
is installed; it is no dependency. Each is also met with slow clients and stopped under load.
"""

import contextlib
import importlib.util
import os
import signal
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator

from tests.bench import load
from tests.bench.endpoints import answers, one_shot, password_step, second_step
from tests.bench.people import Account, create_accounts
from tests.bench.report import bench_server, new_source, show_table
from tests.bench.stock.node import StockNode, wsgi_process
from tests.processes import cpu_seconds, descendants
from tests.server import Server, free_port

RUNS = 3
CONCURRENCIES = (1, 16, 64)
REQUESTS = {"healthz": 1280, "me/": 320, "login/": 64}
SLOW_CLIENTS = 200
SLOW_SECONDS = 6
GUNICORN = ["gunicorn", "-k", "gthread", "--workers", "2", "--threads", "64", "--preload", "-b"]
GRANIAN = ["granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "64"]
COMMANDS = {
    "waitress": lambda port: ["manage.py", "serve", "--no-worker"],
    "gunicorn gthread": lambda port: ["-m", *GUNICORN, f"127.0.0.1:{port}", "secure_auth.wsgi:application"],
    "granian": lambda port: ["-m", *GRANIAN, "--port", str(port), "secure_auth.wsgi:application"],
}


@contextlib.contextmanager
def started(server: Server, name: str) -> Iterator[StockNode]:
    """The service under one of the servers, over the stores of `server`."""
    port = free_port()
    environment = {
        **server.environment,
        "PORT": str(port),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HASH_CONCURRENCY": "64",
    }
    command = [sys.executable, *COMMANDS[name](port)]
    with wsgi_process(command, environment, port, "/healthz") as node:
        yield node


def play(node: StockNode, request: Callable[[], bytes], requests: int, concurrency: int) -> list[float]:
    """Answers a second, p50, p99 (milliseconds) and CPU milliseconds a request; medians of RUNS."""

    def script() -> load.Script:
        for _ in range(requests // concurrency):
            yield request()

    runs = []
    for number in range(RUNS + 1):
        pids = descendants(node.pid)
        began = cpu_seconds(pids)
        result = load.run(node.url, [script() for _ in range(concurrency)], concurrency=concurrency)
        cpu = 1000 * (cpu_seconds(pids) - began) / max(1, len(result.latencies))
        assert set(result.statuses) == {200}, result.statuses
        if number:
            runs.append((result.rate, result.median_ms, result.percentile_ms(0.99), cpu))
    return [statistics.median(values) for values in zip(*runs, strict=True)]


def answered_beside_slow_clients(node: StockNode) -> int:
    """How many of 20 requests are answered within 2 s each while 200 clients send a byte of a head a second."""
    where = ("127.0.0.1", int(node.url.rpartition(":")[2]))
    slow = [socket.create_connection(where, timeout=5) for _ in range(SLOW_CLIENTS)]
    answered = 0
    try:
        for _ in range(SLOW_SECONDS // 2):
            for client in slow:
                with contextlib.suppress(OSError):
                    client.sendall(b"GET /h" if not answered else b"x")
            time.sleep(1)
        for _ in range(20):
            result = load.run(
                node.url, [one_shot(load.build("GET", "/healthz"))], concurrency=1, give_up_seconds=2
            )
            answered += result.statuses[200]
    finally:
        for client in slow:
            client.close()
    return answered


def stopped_under_load(node: StockNode, accounts: list[Account]) -> tuple[int, int, float]:
    """SIGTERM 0.1 s after 16 logins were sent: how many were answered, how many broke off, seconds until the end."""
    ended: list[float] = []

    def stop() -> None:
        os.kill(node.pid, signal.SIGTERM)
        ended.append(time.monotonic())

    threading.Timer(0.1, stop).start()
    scripts = [one_shot(password_step(account)) for account in accounts[:16]]
    result = load.run(node.url, scripts, concurrency=16)
    while not ended or time.monotonic() < ended[0] + 15:
        if ended and os.waitid(os.P_PID, node.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(0.02)
    return result.statuses[200], 16 - result.statuses[200], time.monotonic() - ended[0]


def compare() -> Iterator[list[object]]:
    """One line a server, endpoint and concurrency, then one on its manners."""
    with bench_server("postgres") as server:
        accounts = create_accounts(server, 64)
        partial = answers(server.url, [password_step(accounts[0])])[0]["partial_token"]
        access = answers(server.url, [second_step(partial, accounts[0])])[0]["access"]
        server.stop()
        numbers = iter(range(10**9))
        requests: dict[str, Callable[[], bytes]] = {
            "healthz": lambda: load.build("GET", "/healthz"),
            "me/": lambda: load.build("GET", "/api/v1/me/", token=access, address=new_source()),
            "login/": lambda: password_step(accounts[next(numbers) % 64]),
        }
        for name in COMMANDS:
            if name == "granian" and importlib.util.find_spec("granian") is None:
                continue
            with started(server, name) as node:
                for endpoint, request in requests.items():
                    for concurrency in CONCURRENCIES:
                        rate, median, p99, cpu = play(node, request, REQUESTS[endpoint], concurrency)
                        yield [
                            name,
                            endpoint,
                            concurrency,
                            f"{rate:.0f}",
                            f"{median:.1f}",
                            f"{p99:.1f}",
                            f"{cpu:.2f}",
                        ]
                yield [
                    name,
                    "healthz, 200 slow clients",
                    1,
                    f"{answered_beside_slow_clients(node)} of 20",
                    "",
                    "",
                    "",
                ]
                done, broken, seconds = stopped_under_load(node, accounts)
                yield [
                    name,
                    "16 logins, SIGTERM",
                    16,
                    f"{done} answered, {broken} broken",
                    f"ends in {seconds:.1f} s",
                    "",
                    "",
                ]


def main() -> None:
    head = ["server", "what", "connections", "answers/s", "p50 ms", "p99 ms", "CPU ms"]
    show_table("Servers", head, compare())


if __name__ == "__main__":
    main()
