"""How much of the password step's CPU time is raw Argon2id work (the demand: 80 % or more).

Each round computes raw hashes in this process and sends the same number of right passwords to a server, and divides
the CPU times. The server's time is that of all its web processes, not of the database's. Rounds alternate, so that
whatever slows the machine slows both; the median of the rounds counts.
"""

import statistics
import time
from collections.abc import Iterator

from argon2.low_level import Type, hash_secret_raw

from tests.bench import load
from tests.bench.people import Account, create_accounts
from tests.bench.processes import cpu_seconds, descendants
from tests.bench.report import bench_server, new_source, show_table
from tests.client import PASSWORD
from tests.server import BACKENDS, Server

ROUNDS = 5
LOGINS = 64
CONCURRENCIES = (1, 8)
DEMANDED = 0.80


def raw_cpu_ms() -> float:
    """CPU time of one raw Argon2id hash with the service's parameters, in this process."""
    began = time.process_time()
    for _ in range(LOGINS):
        hash_secret_raw(PASSWORD.encode(), b"0123456789abcdef", 2, 19456, 1, 32, Type.ID)
    return 1000 * (time.process_time() - began) / LOGINS


def log_in(account: Account) -> load.Script:
    """One right password."""
    body = {"email": account.email, "password": PASSWORD}
    yield load.build("POST", "/api/v1/login/", body=body, address=new_source())


def login_cpu_ms(server: Server, accounts: list[Account], concurrency: int) -> float:
    """CPU time of the web processes for one right password."""
    pids = descendants(server.nodes[0].process.pid)
    began = cpu_seconds(pids)
    scripts = (log_in(accounts[number % len(accounts)]) for number in range(LOGINS))
    result = load.run(server.url, scripts, concurrency=concurrency)
    assert result.statuses == {200: LOGINS}, result.statuses
    return 1000 * (cpu_seconds(pids) - began) / LOGINS


def measure() -> Iterator[list[object]]:
    """One line a backend and concurrency."""
    for backend in BACKENDS:
        with bench_server(backend) as server:
            accounts = create_accounts(server, LOGINS)
            for concurrency in CONCURRENCIES:
                login_cpu_ms(server, accounts, concurrency)  # warms up
                rounds = [(raw_cpu_ms(), login_cpu_ms(server, accounts, concurrency)) for _ in range(ROUNDS)]
                raw, step = (statistics.median(values) for values in zip(*rounds, strict=True))
                share = statistics.median(one / other for one, other in rounds)
                verdict = "yes" if share >= DEMANDED else "NO"
                yield [backend, concurrency, f"{raw:.1f}", f"{step:.1f}", f"{100 * share:.0f} %", verdict]


def main() -> None:
    head = ["backend", "at once", "raw hash, CPU ms", "password step, CPU ms", "share", ">= 80 %"]
    show_table("Argon2id in the password step", head, measure())


if __name__ == "__main__":
    main()
