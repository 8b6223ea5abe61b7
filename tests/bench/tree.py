"""What the tree costs: appending beside it, integrating, and proving. `python -m tests.bench.tree [--entries N]`.

Private databases, dropped afterwards. Integration runs in a process of its own, as in the worker; proofs are made from
a log of N entries (1,000,000 by default) that the bulk loader wrote.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bench import logbook
from tests.bench.report import show_table
from tests.server import ROOT, stores

ROUNDS = 5
EVENTS = 20_000
INSIDE = "tests.bench.tree_inside"


@contextmanager
def database(backend: str) -> Iterator[dict[str, str]]:
    """The environment of an empty, migrated log."""
    with tempfile.TemporaryDirectory() as directory, stores(backend) as variables:
        environment = {
            **os.environ,
            **variables,
            "DATA_DIR": directory,
            "DJANGO_SETTINGS_MODULE": "secure_auth.settings",
        }
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
        yield environment


def measure(environment: dict[str, str], *arguments: str) -> dict[str, float]:
    """What one process measured."""
    command = [sys.executable, "-m", INSIDE, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def integrating(backend: str) -> list[object]:
    """Entries a second, median of ROUNDS batches of EVENTS, and the memory before and after."""
    with database(backend) as environment:
        found = measure(environment, "integrate", str(EVENTS), str(ROUNDS))
    return [
        backend,
        f"{found['median']:,.0f}",
        f"{found['worst']:,.0f}",
        f"{found['first_mb']:.0f}",
        f"{found['last_mb']:.0f}",
    ]


def appending(backend: str) -> list[object]:
    """Events a second of 1 and 4 processes, one event a transaction, with the queue."""
    with database(backend) as environment:
        alone = measure(environment, "append", "1500")["rate"]
        command = [sys.executable, "-m", INSIDE, "append", "1500"]
        running = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        rates = [json.loads(process.communicate()[0].splitlines()[-1])["rate"] for process in running]
    return [backend, f"{alone:,.0f}", f"{sum(rates):,.0f}"]


def proving(entries: int) -> list[object]:
    """Milliseconds of one inclusion proof: in all, and of this process's CPU."""
    with database("postgres") as environment:
        logbook.fill(environment["DATABASE_URL"], entries)
        found = measure(environment, "prove", "200")
    return [
        f"{entries:,}",
        f"{found['median_ms']:.2f}",
        f"{found['p99_ms']:.2f}",
        f"{found['cpu_ms']:.2f}",
        int(found["reads"]),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args(arguments).entries
    head = ["backend", "entries/s (median)", "worst round", "resident MB, first", "last"]
    show_table("Integrating", head, (integrating(backend) for backend in ("sqlite", "postgres")))
    head = ["backend", "events/s, 1 process", "4 processes"]
    show_table("Appending, one event a transaction", head, (appending(one) for one in ("sqlite", "postgres")))
    head = ["entries", "median ms", "p99 ms", "CPU ms", "statements"]
    show_table("One inclusion proof (PostgreSQL)", head, [proving(entries)])


if __name__ == "__main__":
    main()
