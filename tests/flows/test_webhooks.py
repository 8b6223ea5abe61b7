"""Detections are pushed to receivers that take, fail, dawdle, redirect, come back or never do."""

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.attacks.evidence import events
from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.receiver import Received, Receiver, running_receiver
from tests.server import LONG, Server, running_server

pytestmark = pytest.mark.xdist_group("webhooks")
NEW, OLD = (f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" for _ in range(2))
PATHS = ("/taken", "/later", "/slow", "/moved", "/dead")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgres"] if LONG else ["sqlite"])
def service(
    request: pytest.FixtureRequest, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    environment = {
        "WEBHOOK_URL": " ".join(receiver.url(path) for path in PATHS),
        "WEBHOOK_SECRET": f"{NEW} {OLD}",
    }
    receiver.received.clear()
    receiver.answers |= {"/later": lambda before: 503 if before == 0 else 200, "/dead": 410}
    directory = tmp_path_factory.mktemp("webhooks")
    with running_server(request.param, directory, environment=environment) as running:
        yield running


@pytest.fixture
def visit(service: Server) -> Iterator[Callable[[], Client]]:
    with ExitStack() as stack:

        def make() -> Client:
            client = Client(service, new_address())
            stack.callback(client.close)
            return client

        yield make


def attack(client: Client) -> Person:
    """One detection: a refresh token used again."""
    person = client.create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    client.refresh(stolen)
    return person


def about(received: list[Received], detection: str) -> list[Received]:
    return [one for one in received if json.loads(one.body)["data"]["id"] == detection]


def test_a_detection_is_pushed_signed_to_every_receiver(
    visit: Callable[[], Client], receiver: Receiver, service: Server
) -> None:
    client = visit()
    auditor = client.create_person(role="auditor")
    person = attack(visit())
    (taken,) = receiver.wait_for("/taken", 1)
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(taken.body, taken.headers) == json.loads(taken.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets.token_bytes(32)).verify(taken.body, taken.headers)
    told = json.loads(taken.body)
    assert (told["type"], told["data"]["rule"]) == ("detection.raise", "refresh_reuse")
    shown = expect(client.get(told["data"]["url"].partition("/api/v1/")[2], auditor.access), 200)
    assert shown["about"]["sessions"] == [person.session_id]
    assert {name: shown[name] for name in ("id", "count", "why", "events")} == {
        name: told["data"][name] for name in ("id", "count", "why", "events")
    }
    for personal in (person.email, person.session_id, *shown["about"]["users"], *shown["about"]["ips"]):
        assert personal not in taken.body.decode()
    assert taken.headers["content-type"] == "application/json"
    once_more = receiver.wait_for("/later", 2)
    assert len({one.headers["webhook-id"] for one in once_more}) == 1
    assert once_more[0].body == once_more[1].body
    assert once_more[1].at - once_more[0].at > 3
    assert len({one.headers["webhook-id"] for one in (taken, once_more[0])}) == 2


def test_slow_and_moved_receivers_hold_up_nobody_and_no_redirect_is_followed(
    visit: Callable[[], Client], receiver: Receiver
) -> None:
    before = len(receiver.at("/taken"))
    attack(visit())
    receiver.wait_for("/slow", 1)
    receiver.wait_for("/moved", 1)
    receiver.wait_for("/taken", before + 1)
    assert receiver.at("/elsewhere") == []


def test_what_no_receiver_takes_is_a_dead_letter_that_can_be_sent_anew(
    visit: Callable[[], Client], receiver: Receiver, service: Server
) -> None:
    attack(visit())
    receiver.wait_for("/dead", 1)
    host = receiver.url("").removeprefix("http://")
    waiting = [line.split("\t") for line in service.manage("webhooks", "list").stdout.splitlines()]
    assert all(line[2] == host for line in waiting)
    age(service, "attempts = 8, next_attempt_at = %s")
    failed = wait_for_failed(service)
    (line,) = [one for one in failed if one[5] == "status 410"][:1]
    told = [one for one in events(service, type="webhook.fail") if one.details["message"] == line[0]]
    assert [(one.reason, one.severity, one.details["attempts"]) for one in told] == [
        ("rejected", "medium", 9)
    ]
    asked = len(receiver.at("/dead"))
    done = service.manage("webhooks", "retry", line[0], "--reason", "it is up again")
    assert done.stdout == "1 to be sent anew\n"
    (retried,) = [one for one in events(service, type="webhook.retry") if one.details["message"] == line[0]]
    assert (retried.outcome, retried.reason, retried.details["attempts"]) == ("success", "by_command", 9)
    receiver.answers["/dead"] = 200
    again = receiver.wait_for("/dead", asked + 1)
    assert line[0] in [one.headers["webhook-id"] for one in again]
    refused = service.manage("webhooks", "retry", "msg_nothing", check=False)
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (1, 1)


def age(service: Server, changes: str) -> None:
    """As if everything that waits had been tried for hours."""
    past = datetime(2026, 1, 1, tzinfo=UTC)
    value: Any = past if service.environment.get("DATABASE_URL") else past.strftime("%Y-%m-%d %H:%M:%S.%f")
    unsent = "sent_at IS NULL AND failed_at IS NULL"
    service.rows(f"UPDATE audit_webhookmessage SET {changes} WHERE {unsent}", [value])


def wait_for_failed(service: Server) -> list[list[str]]:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        lines = [line.split("\t") for line in service.manage("webhooks", "list").stdout.splitlines()]
        failed = [line for line in lines if line[3].startswith("failed")]
        if any(line[5] == "status 410" for line in failed):
            return failed
    raise AssertionError("nothing was given up")


def test_a_receiver_that_is_no_longer_set_gets_nothing_and_its_messages_are_given_up(
    tmp_path: Path, receiver: Receiver
) -> None:
    environment = {"WEBHOOK_URL": receiver.url("/gone"), "WEBHOOK_SECRET": NEW}
    receiver.answers["/gone"] = 500
    with running_server("sqlite", tmp_path, environment=environment) as server:
        client = Client(server, new_address())
        attack(client)
        client.close()
        receiver.wait_for("/gone", 1)
        server.stop()
        server.nodes.clear()
        del server.environment["WEBHOOK_URL"], server.environment["WEBHOOK_SECRET"]
        server.start_node()
        deadline = time.monotonic() + 30
        while not (told := events(server, type="webhook.fail")) and time.monotonic() < deadline:
            time.sleep(0.3)
        assert [one.reason for one in told] == ["not_found"]
        assert len(receiver.at("/gone")) == 1
