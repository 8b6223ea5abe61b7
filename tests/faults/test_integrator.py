"""An integrator that is stopped or killed at any line does no harm: the next one goes on, and there is one tree."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client import Client, Person, new_email
from tests.conftest import new_address, scaled
from tests.server import ROOT, Server, running_server
from tests.tree import Head, open_checkpoint, tree_root

BACKENDS = ["sqlite", "postgres"]
COVER = """
from django.db import connection
from audit import checkpoints, tree
from audit.integrate import Integrator
from secure_auth import covering
with connection.cursor() as cursor:
    cursor.execute("SELECT max(event) FROM audit_pending")
    (event,) = cursor.fetchone()
Integrator().integrate()
covering.integrate([event])
place = tree.place_of(event)
print("signed" if checkpoints.newest(place.log, at_least=place.index + 1) else "not signed")
"""


@pytest.fixture(scope="module", params=BACKENDS)
def unled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service without a background worker: the tests integrate themselves."""
    with running_server(request.param, tmp_path_factory.mktemp("unled"), nodes=0) as server:
        server.start_node("--no-worker")
        yield server


@pytest.fixture(autouse=True)
def _events(unled: Server) -> None:
    """Something pending."""
    client = Client(unled, new_address())
    for _ in range(3):
        client.login(Person(new_email()), "a wrong phrase")
    client.close()


@dataclass
class Turns:
    """Begins turns of the integrator and waits for their ends."""

    process: subprocess.Popen[str]

    def start(self, kind: str = "none", at: int = 0) -> int:
        """The process id of one that has begun."""
        return int(self._ask(f"turn {kind} {at}")[1])

    def finish(self, pid: int) -> int:
        """How many statements it had, 0 for one that was killed."""
        told = self._ask(f"wait {pid}")
        assert told[1] == str(pid)
        return int(told[2])

    def _ask(self, command: str) -> list[str]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()


@pytest.fixture(scope="module")
def turns(unled: Server) -> Iterator[Turns]:
    with (unled.directory / "turns.log").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.integrating"],
            cwd=ROOT,
            env={**unled.environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        yield Turns(process)
        process.kill()


@pytest.fixture(scope="module")
def key(unled: Server) -> str:
    """The verifier key."""
    code = (
        "from secure_auth import integration; from audit import tree; "
        "print(integration.verifier_keys(tree.current_head().origin)[0])"
    )
    return unled.manage("shell", "--no-imports", "-c", code).stdout.strip()


def check(server: Server, key: str) -> Head:
    """Every event has its entry, the entries give the head's root, and the kept checkpoint is of this tree."""
    assert server.rows("SELECT count(*) FROM audit_pending") == [(0,)]
    (events,), (entries,) = (
        server.rows(f"SELECT count(*) FROM audit_{name}")[0] for name in ("event", "entry")
    )
    rows = server.rows('SELECT "index", leaf_hash FROM audit_entry ORDER BY "index"')
    assert [index for index, _ in rows] == list(range(events))
    ((size, root),) = server.rows("SELECT size, root FROM audit_log")
    assert (size, bytes(root)) == (entries, tree_root([bytes(hash_) for _, hash_ in rows]))
    head = open_checkpoint((server.data_dir / "checkpoint").read_text(), key)
    assert (head.size, head.root) == (size, bytes(root))
    for size, root in server.rows("SELECT size, root FROM audit_checkpoint"):
        assert tree_root([bytes(hash_) for _, hash_ in rows[:size]]) == bytes(root)
    return head


def make_event(server: Server) -> None:
    """A failed login, from an address of its own: one address may fail so often only."""
    with closing(Client(server, new_address())) as client:
        client.login(Person(new_email()), "a wrong phrase")


def wait_until_stopped(pid: int) -> bool:
    """Whether it stopped itself; False when it ended without."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        if state in "TZ":
            return state == "T"
        time.sleep(0.02)
    raise AssertionError("neither stopped nor ended")


def points(turns: Turns) -> list[int]:
    """Statements of a turn to try: all of them in the long run, else every third, and the last ones."""
    last = turns.finish(turns.start())
    assert last > 8
    every = scaled(3, 1)
    return [at for at in range(1, last + 1) if at % every == 1 % every or at > last - 2]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="stopped processes are found in /proc")
def test_a_stopped_integrator_that_wakes_changes_nothing(unled: Server, turns: Turns, key: str) -> None:
    for at in points(turns):
        make_event(unled)
        stopped = turns.start("stop", at)
        if wait_until_stopped(stopped):
            other = turns.start()
            if unled.backend == "sqlite":  # who is stopped with the write lock keeps all writers waiting
                time.sleep(0.2)
                os.kill(stopped, signal.SIGCONT)
                turns.finish(other)
            else:  # the server ends the transaction of who was stopped within it
                turns.finish(other)
                os.kill(stopped, signal.SIGCONT)
        turns.finish(stopped)
        turns.finish(turns.start())
        check(unled, key)


def test_a_killed_integrator_is_made_good(unled: Server, turns: Turns, key: str) -> None:
    for at in points(turns):
        make_event(unled)
        assert turns.finish(turns.start("kill", at)) == 0
        turns.finish(turns.start())
        check(unled, key)
    make_event(unled)
    assert turns.finish(turns.start("keep")) == 0
    turns.finish(turns.start())
    check(unled, key)


def test_many_integrators_at_once_make_one_tree(unled: Server, turns: Turns, key: str) -> None:
    for _ in range(scaled(3, 20)):
        make_event(unled)
        racing = [turns.start() for _ in range(4)]
        for pid in racing:
            turns.finish(pid)
    turns.finish(turns.start())
    check(unled, key)


def test_what_covers_a_removal_is_signed_before_anything_goes(unled: Server) -> None:
    """A leader may have died after it integrated: an export of that moment would lack the event."""
    assert unled.manage("shell", "--no-imports", "-c", COVER).stdout.split("\n")[0] == "signed"
