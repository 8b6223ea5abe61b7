"""Starting and stopping: one command, no orphans, clear refusals (SQLite is enough for these)."""

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import ROOT, Node, Server, running_server

pytestmark = pytest.mark.xdist_group("running")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A service of the test's own, to be stopped and killed."""
    with running_server("sqlite", tmp_path) as running:
        yield running


def processes_of(server: Server) -> list[int]:
    """The processes whose environment names the service's data directory."""
    wanted = f"DATA_DIR={server.data_dir}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until_gone(server: Server, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := processes_of(server)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are counted in /proc"
)


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_service_and_all_its_children(own_server: Server, number: int) -> None:
    node = own_server.nodes[0]
    assert len(processes_of(own_server)) >= 4  # supervisor, web server, its workers, background worker
    began = time.monotonic()
    assert node.stop(number) == 0
    assert time.monotonic() - began < 9
    assert processes_of(own_server) == []


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's parent-death signal")
def test_killed_supervisor_leaves_no_orphan(own_server: Server) -> None:
    own_server.nodes[0].stop(signal.SIGKILL)
    assert wait_until_gone(own_server, 10) == []


@needs_proc
def test_killed_child_is_started_again(own_server: Server) -> None:
    node = own_server.nodes[0]
    for child in children_of(node.process.pid):
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while len(children_of(node.process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    node.wait_until_ready()


def children_of(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(word) for word in text.split()]


def test_port_in_use_is_one_clear_line(own_server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=own_server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1:{own_server.environment['PORT']} is in use" in done.stderr


def test_first_start_makes_a_private_data_directory(own_server: Server) -> None:
    assert stat.S_IMODE(own_server.data_dir.stat().st_mode) == 0o700
    for path in own_server.data_dir.rglob("*"):
        if path.is_file() and "key" in path.name:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    banner = own_server.logs()
    assert own_server.origin in banner
    assert str(own_server.data_dir) in banner


def test_no_answer_names_the_server_program(own_server: Server) -> None:
    node = own_server.nodes[0]
    assert "server" not in httpx.get(f"{node.url}/healthz").headers
    assert "gunicorn" not in raw(node, b"NONSENSE\r\n\r\n").decode().casefold()


def test_oversized_head_is_refused(own_server: Server) -> None:
    node = own_server.nodes[0]
    line = raw(node, b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert line.split()[1].startswith(b"4")
    many = b"".join(b"X-%d: y\r\n" % number for number in range(80))
    assert (
        raw(node, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
        .split()[1]
        .startswith(b"4")
    )


def raw(node: Node, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def test_slow_senders_do_not_stop_the_service(tmp_path: Path) -> None:
    small = {"SERVER_WORKERS": "2", "SERVER_THREADS": "4"}
    with running_server("sqlite", tmp_path, environment=small) as server:
        node = server.nodes[0]
        slow = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(16)]
        for connection in slow:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        time.sleep(0.5)
        answer = http.client.HTTPConnection("127.0.0.1", node.port, timeout=25)
        answer.request("GET", "/healthz")
        assert answer.getresponse().status == 200
        for connection in slow:
            connection.close()
