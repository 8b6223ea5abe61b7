"""A node is stopped or killed while it starts, loses the process that prepares it, or has a web worker that hangs.

Whatever it was, nothing is left that holds the port, a stop that was asked for happens, and what went wrong is told.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.family import children_of, name_of, web_workers
from tests.redis_processes import wait_until
from tests.server import ROOT, Server, running_server

pytestmark = [
    pytest.mark.xdist_group("broken start"),
    pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="processes are found in /proc"),
]


@contextlib.contextmanager
def held_up(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """A node that waits for another one's start, as for a long migration."""
    with (server.data_dir / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=server.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                wait_until(lambda: [name_of(child) for child in children_of(process.pid)] == ["auth-start"])
                time.sleep(0.3)
                yield process
            finally:
                process.kill()


def is_port_free(server: Server) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", int(server.environment["PORT"])))
        except OSError:
            return False
        return True


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[Server]:
    with running_server("sqlite", tmp_path, nodes=0) as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_start_that_waits_is_stopped_and_leaves_nothing(unstarted: Server, number: int) -> None:
    with held_up(unstarted) as process:
        (preparing,) = children_of(process.pid)
        process.send_signal(number)
        assert process.wait(5) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
        wait_until(lambda: not name_of(preparing), 5)
        assert is_port_free(unstarted)


def test_killed_preparation_is_one_line(unstarted: Server) -> None:
    with held_up(unstarted) as process:
        os.kill(children_of(process.pid)[0], signal.SIGKILL)
        assert process.wait(5) == 1
        assert process.stderr
        told = process.stderr.read().decode()
        assert told == "CommandError: The process that prepares the start was killed by signal 9.\n"


def test_worker_that_cannot_begin_any_more_says_why(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False) as server:
        wait_until(lambda: "Ctrl-C stops it" in server.logs(), 10)
        with (
            contextlib.closing(sqlite3.connect(server.data_dir / "secure_auth.sqlite3")) as database,
            database,
        ):
            database.execute("UPDATE secure_auth_key SET sealed = x'00'")
        os.kill(web_workers(server.nodes[0])[0], signal.SIGKILL)
        told = next(
            line for line in server.logs("in worker process").splitlines() if "in worker process" in line
        )
        assert "read_rings" in json.loads(told)["exception"]


def test_worker_that_hangs_when_its_master_dies_holds_no_port(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False) as server:
        node = server.nodes[0]
        wait_until(lambda: "Ctrl-C stops it" in server.logs(), 10)  # before, a death is a broken start
        hung, *_ = web_workers(node)
        (master,) = children_of(node.process.pid)
        os.kill(hung, signal.SIGSTOP)
        os.kill(master, signal.SIGKILL)
        wait_until(lambda: children_of(node.process.pid) not in ([], [master]), 10)
        assert node.stop() == 0
        wait_until(lambda: not name_of(hung), 5)
        assert is_port_free(server)
