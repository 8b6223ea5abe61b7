"""Whatever reads the service's lines stops reading: a pipe is full after some hundred of them.

The service goes on, ends when it is told to, and what waited is read by who reads again.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.server import ROOT, STOP_SECONDS, TLS, Node, Server, running_server

EVENTS = 300  # three times what a pipe holds
PIPE_BYTES = 65536


@contextmanager
def unread_node(directory: Path) -> Iterator[tuple[Server, "subprocess.Popen[bytes]"]]:
    errors = directory / "errors.log"
    with running_server("sqlite", directory, nodes=0) as server, errors.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=server.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
        )
        assert process.stdout
        with process.stdout:
            server.nodes.append(Node(int(server.environment["PORT"]), errors, process))
            server.nodes[0].wait_until_ready()
            yield server, process


def cause_events(server: Server) -> list[str]:
    """A garbage refresh token each, from a source each, so that none is only counted; the ids of the requests."""
    host = server.origin.partition("://")[2]
    ids = [f"unread-{number}" for number in range(EVENTS)]
    with httpx.Client(base_url=server.url, trust_env=False, verify=TLS, timeout=10) as client:
        for number, id_ in enumerate(ids):
            address = f"198.51.{100 + number // 200}.{number % 200}"
            headers = {"X-Forwarded-For": address, "Host": host, "X-Request-ID": id_}
            answer = client.post("/api/v1/token/refresh/", json={"refresh": "garbage"}, headers=headers)
            assert answer.status_code == 401
    return ids


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nobody_waits_for_who_reads_the_lines_and_the_service_ends_all_the_same(
    tmp_path: Path, number: int
) -> None:
    with unread_node(tmp_path) as (server, process):
        cause_events(server)
        process.send_signal(number)
        assert process.wait(STOP_SECONDS) == 0
        assert server.rows("SELECT count(*) FROM audit_event WHERE type = 'token.refused'") == [(EVENTS,)]


def test_who_reads_again_reads_everything_that_waited(tmp_path: Path) -> None:
    with unread_node(tmp_path) as (server, process):
        ids = cause_events(server)
        assert process.stdout
        read: list[str] = []
        size = 0
        while len(read) < EVENTS:
            line = process.stdout.readline()
            size += len(line)
            told = json.loads(line)
            if told.get("type") == "token.refused":
                read.append(told["source"]["request_id"])
        assert sorted(read) == sorted(ids)
        assert size > PIPE_BYTES, "else nothing waited"
