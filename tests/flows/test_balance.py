"""Clients that keep connections are spread over the workers of a node, and none waits for a worker that is stuck."""

import os
import signal
import socket
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import scaled
from tests.processes import descendants
from tests.redis_processes import wait_until
from tests.server import Server, running_server

CLIENTS = 20
PROCESSES = 4  # of a node: the supervisor, the web server, its two workers


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("sqlite", tmp_path_factory.mktemp("balance"), worker=False) as running:
        wait_until(lambda: len(descendants(running.nodes[0].process.pid)) == PROCESSES)
        yield running


def ask(server: Server, stack: ExitStack) -> None:
    """One connection more, which stays open; answered within ten seconds."""
    wire = stack.enter_context(socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10))
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert wire.recv(12) == b"HTTP/1.1 200"


def workers_of(server: Server) -> list[int]:
    """Children of the web server, the last process that the supervisor starts."""
    return descendants(server.nodes[0].process.pid)[-2:]


def sockets_of(server: Server) -> dict[int, set[str]]:
    """The sockets that each web worker has open."""
    held = {}
    for pid in workers_of(server):
        files = Path(f"/proc/{pid}/fd")
        links = {str(file.readlink()) for file in files.iterdir() if file.is_symlink()}
        held[pid] = {link for link in links if link.startswith("socket:")}
    return held


def gained(server: Server, before: dict[int, set[str]]) -> dict[int, int]:
    """How many new ones each has, whatever it closed meanwhile."""
    return {pid: more for pid, held in sockets_of(server).items() if (more := len(held - before[pid]))}


@pytest.mark.alone
def test_workers_share_connections_evenly(service: Server) -> None:
    """Mostly: a worker that gets no processor for milliseconds is taken for one that is stuck."""
    differences = []
    for _ in range(scaled(5, 25)):
        before = sockets_of(service)
        with ExitStack() as stack:
            for _ in range(CLIENTS):
                ask(service, stack)
            shares = gained(service, before)
            assert sum(shares.values()) == CLIENTS
            differences.append(abs(CLIENTS - 2 * max(shares.values())))
    assert statistics.median(differences) <= 6, differences


def test_nobody_waits_for_a_worker_that_is_stopped(service: Server) -> None:
    before = sockets_of(service)
    with ExitStack() as stack:
        for _ in range(3):
            ask(service, stack)
        shares = gained(service, before)
        stopped, busy = sorted(workers_of(service), key=lambda pid: shares.get(pid, 0))
        os.kill(stopped, signal.SIGSTOP)
        stack.callback(os.kill, stopped, signal.SIGCONT)
        for _ in range(CLIENTS):
            ask(service, stack)
        shares = gained(service, before)
        assert shares[busy] >= CLIENTS
        assert shares.get(stopped, 0) <= 1
