"""Redis servers of a test's own: one that can be stopped, paused and started anew, Sentinels over two, a cluster."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.services import CI

START_SECONDS = 20
QUIET = ("--save", "", "--appendonly", "no", "--loglevel", "warning")


def require_redis_server() -> str:
    """The program; without it the running test is skipped by name, and fails in CI."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None and CI:
        pytest.fail("no redis-server program, and CI=true", pytrace=False)
    if found is None:
        pytest.skip("no redis-server program")
    return str(found)


def free_port() -> int:
    """A port whose cluster bus port (10,000 above) is a port too."""
    while True:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = int(found.getsockname()[1])
        if port < 55000:
            return port


class RedisProcess:
    """One server process on a port of its own; it keeps nothing on disk, so that each start is an empty one."""

    def __init__(self, directory: Path, *options: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.directory = directory / f"redis-{self.port}"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        self.directory.mkdir(exist_ok=True)
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), *QUIET]
        self.process = subprocess.Popen(
            [require_redis_server(), *self.configuration(), *arguments, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError), self.client() as client:
                client.ping()
                return
            time.sleep(0.02)
        raise AssertionError("redis-server did not come up")

    def configuration(self) -> list[str]:
        return []

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class SentinelProcess(RedisProcess):
    """A Sentinel that watches one master."""

    def __init__(self, directory: Path, master: int, *, quorum: int) -> None:
        super().__init__(directory, "--sentinel")
        self.master, self.quorum = master, quorum

    def configuration(self) -> list[str]:
        file = self.directory / "sentinel.conf"
        file.write_text(
            f"sentinel monitor main 127.0.0.1 {self.master} {self.quorum}\n"
            "sentinel down-after-milliseconds main 500\n"
            "sentinel failover-timeout main 3000\n"
        )
        return [str(file)]


@contextlib.contextmanager
def running(*processes: RedisProcess) -> Iterator[None]:
    """Start processes in order; stop them all, paused ones too."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in processes:
            if process.process is not None:
                process.signal(signal.SIGCONT)
            process.stop()


@contextlib.contextmanager
def one_redis(directory: Path) -> Iterator[RedisProcess]:
    """One running server."""
    process = RedisProcess(directory)
    with running(process):
        yield process


@contextlib.contextmanager
def sentinels(directory: Path) -> Iterator[tuple[str, list[RedisProcess]]]:
    """The URL of three Sentinels, and the two servers that they watch, the master first."""
    master = RedisProcess(directory)
    replica = RedisProcess(directory, "--replicaof", "127.0.0.1", str(master.port))
    watchers = [SentinelProcess(directory, master.port, quorum=2) for _ in range(3)]
    with running(master, replica, *watchers):
        wait_until(lambda: replica.client().info("replication")["master_link_status"] == "up")
        for watcher in watchers:
            wait_until(partial(knows_all, watcher))
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
        yield f"redis+sentinel://{hosts}/main/0", [master, replica]


def knows_all(watcher: RedisProcess) -> bool:
    """Whether a Sentinel has found the replica and the other two."""
    masters: Any = watcher.client().sentinel_masters()
    return bool(masters["main"]["num-slaves"] == 1 and masters["main"]["num-other-sentinels"] == 2)


def is_whole(member: RedisProcess) -> bool:
    """Whether a member of a cluster sees all slots served."""
    state: Any = member.client().execute_command("CLUSTER", "INFO")
    return b"cluster_state:ok" in (state if isinstance(state, bytes) else str(state).encode())


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[tuple[str, list[RedisProcess]]]:
    """The URL of a cluster of three masters, and its servers."""
    masters = [
        RedisProcess(
            directory, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", port=free_port()
        )
        for _ in range(3)
    ]
    with running(*masters):
        places = [f"127.0.0.1:{master.port}" for master in masters]
        subprocess.run(
            ["redis-cli", "--cluster", "create", *places, "--cluster-yes"],
            check=True,
            capture_output=True,
            timeout=60,
        )
        for master in masters:
            wait_until(partial(is_whole, master))
        yield f"redis+cluster://{','.join(places)}", masters


def wait_until(is_so: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that must come true; errors of Redis meanwhile are "not yet"."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError):
            if is_so():
                return
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")
