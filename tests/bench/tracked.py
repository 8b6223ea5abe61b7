"""Many tracked sources: what they take in Redis, and what a decision takes beside them.

They come from real reservations (tests.bench.tracking, one process a core), one decision for each source: with one
limit, and in another database with five for a fifth of the sources. All windows are an hour here, so that no key
expires meanwhile. `used_memory` is the whole server's: what others do on it shows in "all in all", not in
"bytes a key".
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping

from redis import Redis

from tests.server import ROOT

PURPOSES = ("requests", "password_source", "password_source_wide", "refresh", "spraying")
ALLOWED = {"requests": 600, "password_source": 30, "password_source_wide": 300, "refresh": 60, "spraying": 20}
LIMITS = {f"LIMIT_{purpose.upper()}": f"{allowed}/3600" for purpose, allowed in ALLOWED.items()}
DEMANDED_BYTES = 200
SAMPLE = 2000
ROUNDS = 7


def memory(environment: dict[str, str], count: int, limits: int) -> list[object]:
    """A line about an empty database that is filled with so many counts."""
    migrate(environment)
    with Redis.from_url(environment["REDIS_URL"]) as redis:
        before, known = used_bytes(redis), redis.dbsize()
        fill(environment, count // limits, limits)
        keys = redis.dbsize() - known
        each, whole = bytes_a_key(redis), (used_bytes(redis) - before) / count
        verdict = "yes" if max(each, whole) <= DEMANDED_BYTES else "NO"
        name = f"{count // limits:,} sources, {limits} limit{'s' * (limits > 1)} each"
        return [name, f"{keys:,}", f"{each:.0f}", f"{whole:.0f}", verdict, without_expiry(redis)]


def migrate(environment: Mapping[str, str]) -> None:
    """The limiter's table, which shows whether the limiter left Redis."""
    command = [sys.executable, "manage.py", "migrate", "throttling", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def fill(environment: dict[str, str], sources: int, limits: int) -> None:
    """Reserve once for each source, with one process a core."""
    processes = os.cpu_count() or 1
    share = -(-sources // processes)
    running = [
        start(environment, "fill", limits, number * share, min(share, sources - number * share))
        for number in range(processes)
    ]
    for process in running:
        if process.wait():
            raise SystemExit("the sources could not be tracked")


def start(environment: Mapping[str, str], *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.tracking", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def used_bytes(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


def bytes_a_key(redis: Redis) -> float:
    """The mean of MEMORY USAGE over random keys."""
    with redis.pipeline(transaction=False) as asking:
        for _ in range(SAMPLE):
            asking.randomkey()
        names = asking.execute()
        for name in names:
            asking.memory_usage(name, samples=0)
        return statistics.fmean(size for size in asking.execute() if size)


def without_expiry(redis: Redis) -> int:
    """How many keys would stay for ever."""
    number = redis.connection_pool.connection_kwargs["db"]
    space = redis.info("keyspace")[f"db{number}"]
    return int(space["keys"]) - int(space["expires"])


def latency(empty: dict[str, str], full: dict[str, str]) -> Iterator[list[object]]:
    """Medians of rounds that two processes take in turns."""
    migrate(empty)
    processes = [start(empty, "time"), start(full, "time")]
    rounds = [[one_round(process) for process in processes] for _ in range(ROUNDS + 1)][1:]
    for process in processes:
        process.communicate()
        if process.returncode:
            raise SystemExit("the latency could not be measured")
    alone, beside = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(there / here for here, there in rounds)
    yield ["p50", f"{alone:.0f}", f"{beside:.0f}", f"{ratio:.2f}"]


def one_round(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def forget(url: str) -> None:
    """Empty a database without making the server, which others use too, wait for it."""
    with Redis.from_url(url, socket_timeout=60) as redis:
        redis.flushdb(asynchronous=True)
