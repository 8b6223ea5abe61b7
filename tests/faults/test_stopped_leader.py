"""A leading worker that stands still, as a paused machine does, keeps no event from its place in the log."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.server import Server, running_server
from tests.tree import fetch_head, wait_for_proof


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two nodes, each with a worker, over one PostgreSQL."""
    with running_server("postgres", tmp_path_factory.mktemp("pair"), nodes=2) as server:
        yield server


def leader_of(server: Server) -> int:
    """The process id of the worker that leads."""
    deadline = time.monotonic() + 30
    while not (rows := server.rows("SELECT holder FROM secure_auth_lease WHERE expires_at > now()")):
        assert time.monotonic() < deadline, "nobody leads"
        time.sleep(0.1)
    return int(rows[0][0].rsplit("-", 2)[1])


def fail(client: Client, auditor: Person) -> str:
    client.login(Person(new_email()), "a wrong phrase")
    query = {"ip": client.address, "type": "login.password", "outcome": "failure", "limit": 1}
    return str(expect(client.get("audit/events/", auditor.access, params=query), 200)["results"][0]["id"])


def test_another_worker_goes_on_while_the_leader_is_stopped(pair: Server) -> None:
    client = Client(pair, new_address())
    auditor = client.create_person(role="auditor")
    wait_for_proof(client, auditor, fail(client, auditor))
    stopped = leader_of(pair)
    os.kill(stopped, signal.SIGSTOP)
    try:
        waiting = fail(client, auditor)
        wait_for_proof(client, auditor, waiting, seconds=60)
        assert leader_of(pair) != stopped
        during = fetch_head(client, auditor)
    finally:
        os.kill(stopped, signal.SIGCONT)
    time.sleep(2)
    later = fail(client, auditor)
    wait_for_proof(client, auditor, later)
    assert fetch_head(client, auditor).size > during.size
    assert pair.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    assert (Path(pair.environment["DATA_DIR"]) / "checkpoint").exists()
    client.close()
