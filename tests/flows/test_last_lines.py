"""The lines of a process that ends come out all the same, and a start needs nobody who takes them."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import PASSWORD, Client, new_email
from tests.processes import descendants
from tests.server import ROOT, STOP_SECONDS, Node, Server, running_server

# The loop of a web worker breaks as soon as there is a file of this name.
BREAKABLE = """
import os, sys
from pathlib import Path
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
from secure_auth.threads import Threads
look, mark = Threads.look, Path(sys.argv[1])
def look_or_break(threads):
    if mark.exists():
        mark.unlink(missing_ok=True)
        raise RuntimeError("the loop is broken")
    return look(threads)
Threads.look = look_or_break
execute_from_command_line(["manage.py", "serve", "--no-worker"])
"""
OTHER_SERVER = ("-m", "gunicorn", "--no-control-socket", "secure_auth.wsgi:application")


@contextlib.contextmanager
def process(server: Server, *command: str, closed: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    """A node of the service as a program of its own, with standard output and error in one file."""
    log = server.directory / "own.log"
    line = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, *command]
    with log.open("wb") as output:
        found = subprocess.Popen(line, cwd=ROOT, env=server.environment, stdout=output, stderr=output)
    server.nodes.append(Node(int(server.environment["PORT"]), log, found))
    server.nodes[0].wait_until_ready()
    yield found


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Server]:
    with running_server("sqlite", tmp_path, nodes=0, environment={"SERVER_WORKERS": "1"}) as server:
        yield server


def test_worker_that_breaks_says_why(stopped: Server, tmp_path: Path) -> None:
    mark = tmp_path / "break"
    with process(stopped, "-c", BREAKABLE, str(mark)):
        mark.touch()
        assert "Exception in worker process" in stopped.logs("exited with code")


def test_another_wsgi_server_that_stops_writes_its_last_event(stopped: Server) -> None:
    port = stopped.environment["PORT"]
    stopped.create_user(new_email(), PASSWORD)  # a first command makes the keys, which no other server does
    with process(stopped, *OTHER_SERVER, "-b", f"127.0.0.1:{port}") as master:
        workers = descendants(master.pid)[1:]
        with contextlib.closing(Client(stopped, "198.51.100.7")) as client:
            assert client.post("token/refresh/", {"refresh": "garbage"}).status_code == 401
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
        master.terminate()
        assert master.wait(STOP_SECONDS) == 0
        assert '"type": "token.refused"' in stopped.nodes[0].log.read_text()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full"])
def test_service_whose_streams_are_closed_or_full_starts_without_a_complaint(
    stopped: Server, closed: str
) -> None:
    with process(stopped, "manage.py", "serve", "--no-worker", closed=closed) as node:
        made = "SELECT count(*) FROM audit_event WHERE type = 'key.create'"
        assert stopped.rows(made) != [(0,)], "else there was no line to write"
        node.terminate()
        assert node.wait(STOP_SECONDS) in (0, 120)  # which is Python's own, for what a stream did not take
        assert "Error" not in stopped.nodes[0].log.read_text()
