"""Starting and stopping: one command, no orphans, clear refusals (SQLite is enough for these)."""

import contextlib
import itertools
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.server import ROOT, Node, Server, running_server

pytestmark = pytest.mark.xdist_group("running")


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that the tests of this file only look at."""
    with running_server("sqlite", tmp_path_factory.mktemp("quiet"), first_start=True) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A service of the test's own, to be stopped and killed."""
    with running_server("sqlite", tmp_path, first_start=True) as running:
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


def name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def wait_until_gone(server: Server, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := processes_of(server)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are counted in /proc"
)


@needs_proc
@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signal_ends_the_service_and_all_its_children(own_server: Server, number: int) -> None:
    node = own_server.nodes[0]
    assert len(processes_of(own_server)) >= 4  # supervisor, web server, its workers, background worker
    began = time.monotonic()
    assert node.stop(number) == 0
    assert time.monotonic() - began < 9
    assert processes_of(own_server) == []


@needs_proc
def test_begun_with_nohup_it_outlasts_its_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it to what it begins
    try:
        with running_server("sqlite", tmp_path, first_start=True) as server:
            node = server.nodes[0]
            node.process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                node.process.wait(2)
            node.wait_until_ready()
            assert node.stop(signal.SIGINT) == 0
            assert processes_of(server) == []
    finally:
        signal.signal(signal.SIGHUP, before)


@needs_proc
@pytest.mark.parametrize("name", ["python", "auth-worker"])
def test_signals_that_interrupt_each_other_end_it_as_one_does(own_server: Server, name: str) -> None:
    """A second Ctrl-C, or an operator's and the terminal's, comes while the first is still being noted."""
    told = next(pid for pid in processes_of(own_server) if name_of(pid) == name)
    with contextlib.suppress(ProcessLookupError):
        for number in itertools.islice(itertools.cycle(STOP_SIGNALS), 3000):
            os.kill(told, number)
            time.sleep(2e-5)
    deadline = time.monotonic() + 9
    while told in processes_of(own_server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert told not in processes_of(own_server)


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's parent-death signal")
def test_killed_supervisor_leaves_no_orphan(own_server: Server) -> None:
    own_server.nodes[0].stop(signal.SIGKILL)
    assert wait_until_gone(own_server, 10) == []


@needs_proc
def test_killed_child_is_started_again(own_server: Server) -> None:
    """Once the node has been announced: a death before that is a broken start and ends it."""
    node = own_server.nodes[0]
    wait_for_banner(own_server)
    for child in children_of(node.process.pid):
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while len(children_of(node.process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    node.wait_until_ready()


def wait_for_banner(server: Server) -> str:
    deadline = time.monotonic() + 30
    while "Ctrl-C" not in (written := server.logs()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return written


def children_of(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(word) for word in text.split()]


def test_port_in_use_is_one_clear_line(quiet_server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=quiet_server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1:{quiet_server.environment['PORT']} is in use" in done.stderr


def test_first_start_makes_a_private_data_directory(quiet_server: Server) -> None:
    assert stat.S_IMODE(quiet_server.data_dir.stat().st_mode) == 0o700
    for path in quiet_server.data_dir.rglob("*"):
        assert not path.stat().st_mode & 0o077, path
    banner = wait_for_banner(quiet_server)
    assert f"Open   {quiet_server.origin}" in banner
    assert str(quiet_server.data_dir) in banner


def test_banner_gives_the_demo_what_tells_this_installation_from_others(quiet_server: Server) -> None:
    (tried,) = re.findall(r"Try    (.*)make manage ARGS=\"(.*)\"", wait_for_banner(quiet_server))
    given, command = dict(word.split("=", 1) for word in shlex.split(tried[0])), tried[1]
    assert given == {"PORT": quiet_server.environment["PORT"], "DATA_DIR": str(quiet_server.data_dir)}
    assert command == "demo"


def test_banner_of_a_service_on_postgresql_asks_for_its_url_and_tells_none_of_it(server: Server) -> None:
    """Left out, a command that is pasted would begin another installation, on SQLite; as it stands it is refused."""
    (tried,) = re.findall(r"Try    (.*)make manage", wait_for_banner(server))
    given = dict(word.split("=", 1) for word in shlex.split(tried))
    assert given.get("DATABASE_URL") == ("..." if server.backend != "sqlite" else None)
    pasted = {**server.environment, "DATABASE_URL": "..."}
    done = subprocess.run(
        [sys.executable, "manage.py", "create_user", "ada@example.org"],
        cwd=ROOT, env=pasted, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "DATABASE_URL" in done.stderr


def test_no_answer_names_the_server_program(quiet_server: Server) -> None:
    node = quiet_server.nodes[0]
    assert "server" not in httpx.get(f"{node.url}/healthz").headers
    assert "gunicorn" not in raw(node, b"NONSENSE\r\n\r\n").decode().casefold()


def test_oversized_head_is_refused_as_a_problem(quiet_server: Server) -> None:
    head = b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = raw(quiet_server.nodes[0], head)
    assert answer.split()[1] == b"400"
    assert b"application/problem+json" in answer


def raw(node: Node, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service of few threads."""
    directory, few = tmp_path_factory.mktemp("narrow"), {"SERVER_THREADS": "4"}
    with running_server("sqlite", directory, worker=False, environment=few) as running:
        yield running


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /healthz HTTP/1.1\r\nX-Slow: ",
        b"POST /api/v1/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{",
    ],
    ids=["head", "body"],
)
def test_slow_senders_hold_no_threads(narrow_server: Server, beginning: bytes) -> None:
    with ExitStack() as stack:
        for _ in range(100):
            slow = socket.create_connection(("127.0.0.1", narrow_server.nodes[0].port))
            stack.enter_context(slow).sendall(beginning)
        time.sleep(0.5)
        assert httpx.get(f"{narrow_server.url}/healthz", timeout=5, trust_env=False).status_code == 200
