"""Detections by the hundred, so that the log fills up and the one that matters drowns among messages.

Attacker: an account of their own. Move: logins whose password and second step come from different sources, each of them
a detection. Refusal: an hour's first 50 of a rule are told, by event and webhook; then one `detection_flood` says that
there are more. All are listed, and other rules are told as before.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.attacks.conftest import Alarmed
from tests.attacks.evidence import events
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address, scaled
from tests.detecting import wait_until_followed

pytestmark = pytest.mark.xdist_group("alarmed")
TOLD = 50
RULE = "partial_token_elsewhere"


def test_a_flood_of_detections_is_told_in_bounds(alarmed: Alarmed) -> None:
    server, person = alarmed.server, Person(new_email("attacker"))
    server.create_user(person.email, person.password)
    count = scaled(60, 400)
    with ExitStack() as stack:

        def visitor() -> Client:
            client = Client(server, new_address())
            stack.callback(client.close)
            return client

        pairs = [(visitor(), visitor()) for _ in range(count // 20 + 1)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: cross(person, *pairs[number % len(pairs)]), range(count)))
    wait_until_followed(server)
    by_rule = [one for one in events(server, type="detection.raise") if one.details["rule"] == RULE]
    floods = [
        one for one in events(server, type="detection.raise") if one.details["rule"] == "detection_flood"
    ]
    assert len(by_rule) == TOLD
    assert 1 <= len(floods) <= 2, "one an hour"
    listed = server.rows("SELECT count(*) FROM audit_detection WHERE rule = %s", [RULE])[0][0]
    assert listed == count
    queued = server.rows(
        "SELECT count(*) FROM audit_webhookmessage WHERE body LIKE %s", [f'%"rule":"{RULE}"%']
    )[0][0]
    assert queued == TOLD
    other_rules_are_told(alarmed, lambda: Client(server, new_address()))


def cross(person: Person, owner: Client, thief: Client) -> None:
    """One login whose two steps come from two sources."""
    partial = expect(owner.login(person), 200)["partial_token"]
    expect(thief.post("mfa/totp/", {}, partial), 201)


def other_rules_are_told(alarmed: Alarmed, visitor: Callable[[], Client]) -> None:
    client = visitor()
    person = client.create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    client.refresh(stolen)
    client.close()
    wait_until_followed(alarmed.server)
    told = [
        one
        for one in events(alarmed.server, type="detection.raise")
        if one.details["rule"] == "refresh_reuse"
    ]
    assert told
