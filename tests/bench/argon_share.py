"""How much of the password step's CPU time is raw Argon2id work (the demand: 80 % or more).

The server under test notes the CPU time of every Argon2 call (probe/sitecustomize.py); that sum is divided by the CPU
time of all web processes, not of the database's. Raw hashes of the same parameters in an idle process stand beside it,
in alternating rounds, so that whatever slows the machine slows both. The median of the rounds counts.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw

from tests.bench import load
from tests.bench.people import Account, create_accounts
from tests.bench.report import bench_server, new_source, show_table
from tests.client import PASSWORD
from tests.processes import cpu_seconds, descendants
from tests.server import BACKENDS, Server

ROUNDS = 5
LOGINS = 64
CONCURRENCIES = (1, 8)
DEMANDED = 0.80
PROBE = Path(__file__).parent / "probe"


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
        with (
            tempfile.NamedTemporaryFile() as log,
            bench_server(backend, PYTHONPATH=str(PROBE), ARGON2_LOG=log.name) as server,
        ):
            accounts = create_accounts(server, LOGINS)
            for concurrency in CONCURRENCIES:
                login_cpu_ms(server, accounts, concurrency)  # warms up
                rounds = [one_round(server, accounts, concurrency, Path(log.name)) for _ in range(ROUNDS)]
                raw, noted, step = (statistics.median(values) for values in zip(*rounds, strict=True))
                share = statistics.median(part / whole for _, part, whole in rounds)
                verdict = "yes" if share >= DEMANDED else "no"
                times = [f"{value:.1f}" for value in (raw, noted, step)]
                yield [backend, concurrency, *times, f"{100 * share:.0f} %", verdict]


def one_round(
    server: Server, accounts: list[Account], concurrency: int, log: Path
) -> tuple[float, float, float]:
    """CPU milliseconds of a raw hash here, of Argon2 in the server for a login, and of the whole login."""
    raw = raw_cpu_ms()
    os.truncate(log, 0)
    step = login_cpu_ms(server, accounts, concurrency)
    return raw, sum(map(int, log.read_text().split())) / 1e6 / LOGINS, step


def main() -> None:
    head = ["backend", "at once", "raw hash alone", "Argon2 in it", "password step", "share", ">= 80 %"]
    show_table("Argon2id in the password step, CPU ms", head, measure())


if __name__ == "__main__":
    main()
