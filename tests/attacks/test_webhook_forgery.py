"""Somebody who knows a receiver's address, or saw a message on its way, makes security teams chase ghosts or look away.

Attacker: can post to the receiver, holds one genuine message. Move: invents a message, alters the genuine one, sends it
again later, moves its signature to another message. Refusal: none verifies by Standard Webhooks but the genuine one
within its minutes, and its `webhook-id` gives the double away.
"""

import json
import secrets
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.attacks.conftest import Alarmed
from tests.client import Client, expect
from tests.conftest import new_address
from tests.receiver import Received

pytestmark = pytest.mark.xdist_group("alarmed")
Change = Callable[[Received], tuple[bytes, dict[str, str]]]


@pytest.fixture(scope="module")
def genuine(alarmed: Alarmed) -> Received:
    """A message about a refresh token that was used again."""
    with closing(Client(alarmed.server, new_address())) as client:
        person = client.create_person()
        stolen = person.refresh
        expect(client.refresh(stolen), 200)
        client.refresh(stolen)
    deadline = time.monotonic() + 45
    while time.monotonic() < deadline:
        for one in alarmed.receiver.at("/taken"):
            if json.loads(one.body)["data"]["rule"] == "refresh_reuse":
                return one
        time.sleep(0.2)
    raise AssertionError("no message came")


def test_address_of_a_receiver_is_not_logged(alarmed: Alarmed, genuine: Received) -> None:
    """It may hold a secret of its own, and whoever reads the log could post to it."""
    assert genuine.path == "/taken"
    assert "/taken" not in alarmed.server.logs()


def altered_body(one: Received) -> tuple[bytes, dict[str, str]]:
    return one.body.replace(b'"high"', b'"info"'), one.headers


def another_id(one: Received) -> tuple[bytes, dict[str, str]]:
    return one.body, {**one.headers, "webhook-id": f"msg_{secrets.token_hex(16)}"}


def later(one: Received) -> tuple[bytes, dict[str, str]]:
    """With a time of its own, so that it seems fresh when it is sent again."""
    return one.body, {**one.headers, "webhook-timestamp": str(int(one.headers["webhook-timestamp"]) + 1)}


def unsigned(one: Received) -> tuple[bytes, dict[str, str]]:
    return one.body, {name: value for name, value in one.headers.items() if name != "webhook-signature"}


def invented(one: Received) -> tuple[bytes, dict[str, str]]:
    message = json.loads(one.body)
    message["data"]["rule"] = "brute_force"
    return json.dumps(message).encode(), one.headers


def test_the_genuine_message_verifies(alarmed: Alarmed, genuine: Received) -> None:
    assert Webhook(alarmed.secret).verify(genuine.body, genuine.headers)["data"]["rule"] == "refresh_reuse"


@pytest.mark.parametrize("forge", [altered_body, another_id, later, unsigned, invented])
def test_a_forged_message_does_not(alarmed: Alarmed, genuine: Received, forge: Change) -> None:
    body, headers = forge(genuine)
    with pytest.raises(WebhookVerificationError):
        Webhook(alarmed.secret).verify(body, headers)


def test_a_replay_is_too_old_or_has_an_id_that_came_before(alarmed: Alarmed, genuine: Received) -> None:
    """A message ten minutes old, rightly signed for its time."""
    moment = datetime.fromtimestamp(int(genuine.headers["webhook-timestamp"]) - 600, UTC)
    verifier, number = Webhook(alarmed.secret), genuine.headers["webhook-id"]
    old = {
        **genuine.headers,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": verifier.sign(number, moment, genuine.body.decode()),
    }
    with pytest.raises(WebhookVerificationError, match="too old"):
        verifier.verify(genuine.body, old)
    ids = [one.headers["webhook-id"] for one in alarmed.receiver.at("/taken")]
    assert len(set(ids)) == len(ids)
