"""The worker is killed while it recognises attacks and tells of them: nothing is lost, and nothing counts twice."""

import base64
import json
import os
import secrets
import signal
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.client import Client, Person, expect
from tests.conftest import new_address, scaled
from tests.detecting import wait_until_followed
from tests.faults.family import background_workers
from tests.receiver import running_receiver
from tests.server import TESTED_BACKENDS, Server, running_server

pytestmark = pytest.mark.xdist_group("worker")
SECRET = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def attack(client: Client, person: Person) -> str:
    """A session whose refresh token is used again; its id."""
    pair = client.recover(person)
    expect(client.refresh(pair["refresh"]), 200)
    client.refresh(pair["refresh"])
    return str(pair["session_id"])


@pytest.mark.parametrize("backend", TESTED_BACKENDS)
def test_killed_worker_neither_loses_nor_doubles_a_detection(backend: str, tmp_path: Path) -> None:
    with running_receiver() as receiver:
        environment = {"WEBHOOK_URL": receiver.url("/taken"), "WEBHOOK_SECRET": SECRET}
        with running_server(backend, tmp_path, environment=environment) as server:
            attacked = set()
            for number in range(scaled(3, 12)):
                with closing(Client(server, new_address())) as client:
                    person = client.create_person()
                    attacked |= {attack(client, person) for _ in range(3)}
                time.sleep(secrets.randbelow(100) / 250)
                worker = next(iter(background_workers(server.nodes[0])), None)
                if worker and number < 10:  # restarts come with growing pauses
                    os.kill(worker, signal.SIGKILL)
                with closing(Client(server, new_address())) as client:
                    attacked.add(attack(client, person))
            wait_until_followed(server)
            told = Counter(
                one.details["detection"]
                for one in events(server, type="detection.raise")
                if one.details["rule"] == "refresh_reuse"
            )
            reused = {one.session for one in events(server, type="token.reuse")}
            assert attacked == reused
            assert len(told) == len(attacked)
            assert set(told.values()) == {1}
            await_all(server)
            pushed = [json.loads(one.body)["data"]["id"] for one in receiver.at("/taken")]
            ids = {one.headers["webhook-id"] for one in receiver.at("/taken")}
            assert set(told) <= set(pushed)
            assert len(ids) == len(set(pushed)), "a double has the id of the first"


def await_all(server: Server) -> None:
    """Until every message is taken: one that a killed worker had claimed waits for its claim to end."""
    server.rows("UPDATE audit_webhookmessage SET next_attempt_at = queued_at WHERE sent_at IS NULL")
    deadline = time.monotonic() + 30
    unsent = "SELECT count(*) FROM audit_webhookmessage WHERE sent_at IS NULL"
    while server.rows(unsent)[0][0] and time.monotonic() < deadline:
        time.sleep(0.2)
    assert server.rows(unsent)[0][0] == 0
