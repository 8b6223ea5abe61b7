"""The limiter: what a decision costs beside peers', and what a store full of tracked sources costs.

`python -m tests.bench.limiter` tracks 100,000 keys, with `--million` 1,000,000.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import tracked
from tests.bench.report import show_table
from tests.redis_processes import one_redis
from tests.server import INHERITED, ROOT, stores
from tests.services import private_redis

KEYS, MANY_KEYS = 100_000, 1_000_000


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[dict[str, str]]:
    """What a process of this benchmark starts with; its data directory is removed afterwards."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with tempfile.TemporaryDirectory() as directory:
        yield {**inherited, **variables, "DATA_DIR": directory}


def compare() -> None:
    """All decisions, in one process, beside a Redis of its own on another core.

    Where the kernel may choose, each connection's answers are by chance woken on the same core or on another one, for
    half the time or twice: it would be that, not the decision, that is compared.
    """
    *ours, last = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as directory,
        stores("postgres") as urls,
        one_redis(Path(directory)) as redis,
    ):
        assert redis.process is not None
        os.sched_setaffinity(redis.process.pid, {last})
        with environment(**urls, REDIS_URL=redis.url, DATABASE_POOL_SIZE="12") as variables:
            subprocess.run(
                [sys.executable, "-m", "tests.bench.decisions"],
                cwd=ROOT,
                env=variables,
                check=True,
                preexec_fn=lambda: os.sched_setaffinity(0, ours or {last}),
            )


@contextlib.contextmanager
def redis_environment() -> Iterator[dict[str, str]]:
    """A Redis database of its own, forgotten afterwards."""
    with private_redis() as url, environment(REDIS_URL=url, **tracked.LIMITS) as variables:
        yield variables
        tracked.forget(url)


def track(keys: int) -> None:
    """Memory of many keys, and latency beside them; two Redis databases take turns."""
    with redis_environment() as full, redis_environment() as empty:
        head = ["tracked", "keys", "bytes a key", "bytes a count, all in all", "<= 200", "without expiry"]
        show_table("Memory of tracked sources on Redis", head, fillings(full, keys))
        head = ["decision over five limits", "us, empty store", f"beside {keys:,} counts", "ratio"]
        show_table("Latency beside tracked sources", head, tracked.latency(empty, full))


def fillings(first: dict[str, str], keys: int) -> Iterator[list[object]]:
    """One line with one limit a source, one with five; the first stays filled."""
    yield tracked.memory(first, keys, 1)
    with redis_environment() as second:
        yield tracked.memory(second, keys, 5)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.limiter")
    parser.add_argument("--million", action="store_true", help="track 1,000,000 keys")
    compare()
    track(MANY_KEYS if parser.parse_args(arguments).million else KEYS)


if __name__ == "__main__":
    main()
