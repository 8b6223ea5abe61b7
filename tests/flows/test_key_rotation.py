"""`rotate_keys`: next, active, retired, gone; under load on several nodes; and the drill for a compromised key."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.evidence import events
from tests.client import Client, Person, code_of, expect
from tests.conftest import new_address, scaled
from tests.server import LONG, TESTED_BACKENDS, Server, running_server

LEAD_SECONDS, CACHE_SECONDS = 4, 1
SETTINGS = {
    "KEY_CACHE_SECONDS": str(CACHE_SECONDS),
    "JWKS_MAX_AGE_SECONDS": str(LEAD_SECONDS),
    "LIMIT_REQUESTS": "100000/min",
    "LIMIT_REFRESH": "10000/min",
}
TAKES_EFFECT_SECONDS = 30


@pytest.fixture(scope="module", params=TESTED_BACKENDS if LONG else TESTED_BACKENDS[-1:])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two nodes where the database can be shared; keys may follow each other quickly."""
    nodes = 1 if request.param == "sqlite" else 2
    directory = tmp_path_factory.mktemp("rotation")
    with running_server(request.param, directory, nodes=nodes, environment=SETTINGS) as running:
        yield running


@pytest.fixture
def clients(service: Server) -> Iterator[list[Client]]:
    """One for each node."""
    made = [Client(service, new_address(), node=number) for number in range(len(service.nodes))]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def client(clients: list[Client]) -> Client:
    return clients[0]


def header(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def published(client: Client) -> list[str]:
    return [key["kid"] for key in expect(client.get("/.well-known/jwks.json"), 200)["keys"]]


def ring(service: Server) -> dict[str, list[str]]:
    found = service.rows(
        "SELECT state, kid FROM secure_auth_key WHERE purpose = 'signing' ORDER BY created_at"
    )
    states: dict[str, list[str]] = {"next": [], "active": [], "retired": [], "gone": []}
    for state, kid in found:
        states[state].append(kid)
    return states


def rotate(service: Server, *arguments: str, aged: bool = True) -> str:
    """As soon as the next key is old enough, or as if it were."""
    if aged:
        service.rows(
            "UPDATE secure_auth_key SET created_at = %s WHERE state = 'next'", ["2020-01-01 00:00:00"]
        )
    deadline = time.monotonic() + 30
    while True:
        done = service.manage("rotate_keys", *arguments, check=False)
        if done.returncode == 0 or time.monotonic() > deadline:
            assert done.returncode == 0, done.stderr
            return done.stdout
        assert "too young" in done.stderr
        time.sleep(0.5)


def wait_until_signed_by(client: Client, person: Person, kid: str) -> None:
    """Every worker of the node signs with the key."""
    deadline, in_a_row = time.monotonic() + TAKES_EFFECT_SECONDS, 0
    while in_a_row < 10:
        assert time.monotonic() < deadline, "a worker still signs with the old key"
        person.keep(expect(client.refresh(person.refresh), 200))
        in_a_row = in_a_row + 1 if header(person.access)["kid"] == kid else 0


def test_next_key_is_published_first_and_the_old_one_goes_on_verifying(
    service: Server, clients: list[Client], client: Client
) -> None:
    person = client.create_person()
    old, before = person.access, ring(service)
    assert set(published(client)) == {*before["retired"], *before["active"], *before["next"]}
    told = rotate(service)
    now = ring(service)
    assert now["active"] == before["next"]
    assert before["active"][0] in now["retired"]
    assert f"active {now['active'][0]}, next {now['next'][0]}" in told
    for one in clients:
        assert set(published(one)) == {*now["retired"], *now["active"], *now["next"]}
        wait_until_signed_by(one, person, now["active"][0])
        expect(one.me(old), 200)
    kinds = [(event.reason, event.details["key_id"]) for event in events(service, type="key.rotate")]
    assert ("rotation", now["active"][0]) in kinds


def test_too_young_a_next_key_is_one_clear_line(service: Server) -> None:
    done = service.manage("rotate_keys", check=False, JWKS_MAX_AGE_SECONDS="300")
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("CommandError: the next signing key is too young")
    assert done.stdout == ""


def test_rotation_under_load_fails_no_request(service: Server, clients: list[Client]) -> None:
    """Every person refreshes, asks and verifies on all nodes in turn while the ring moves on."""
    people = [clients[0].create_person() for _ in range(4)]
    stop, answered = threading.Event(), [0] * len(people)
    faults: list[str] = []

    def use(number: int) -> None:
        own = [Client(service, new_address(), node=one) for one in range(len(service.nodes))]
        person, turn = people[number], 0
        while not stop.is_set():
            here = own[turn % len(own)]
            refreshed = here.refresh(person.refresh)
            asked = [refreshed]
            if refreshed.status_code == 200:
                person.keep(refreshed.json())
                turn += 1
                asked.append(own[turn % len(own)].me(person.access))
            faults.extend(one.text for one in asked if one.status_code != 200)
            answered[number] += 1
        for one in own:
            one.close()

    threads = [threading.Thread(target=use, args=(number,)) for number in range(len(people))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(scaled(1, 6)):
            rotate(service, aged=False)
            active = ring(service)["active"][0]
            deadline = time.monotonic() + TAKES_EFFECT_SECONDS
            while any(header(person.access)["kid"] != active for person in people):
                assert time.monotonic() < deadline, "a worker still signs with the old key"
                time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert min(answered) > 5


def test_compromised_key_is_dead_at_once_on_every_node(service: Server, clients: list[Client]) -> None:
    """The attacker's own refresh and access tokens, a login under way, and those of every other key that lives on."""
    client = clients[0]
    person = client.create_person()
    wait_until_signed_by(client, person, ring(service)["active"][0])
    partial = expect(client.login(person), 200)["partial_token"]
    kid = header(person.access)["kid"]
    told = service.manage("rotate_keys", "--compromised", kid).stdout
    for one in clients:
        for _ in range(5):
            assert code_of(one.me(person.access)) == "invalid_token"
            assert code_of(one.refresh(person.refresh)) == "invalid_token"
            assert code_of(one.verify(partial, "000000")) == "invalid_token"
        assert kid not in published(one)
    now = ring(service)
    assert kid in now["gone"]
    assert service.rows("SELECT length(sealed) FROM secure_auth_key WHERE kid = %s", [kid]) == [(0,)]
    ended = events(service, type="session.revoke", session=person.session_id)
    assert [event.reason for event in ended] == ["key_compromised"]
    destroyed = [one for one in events(service, type="key.destroy") if one.details["key_id"] == kid]
    assert destroyed[0].severity == "high"
    ended = destroyed[0].details["sessions"]
    assert f"{kid} is gone, {ended} {'session' if ended == 1 else 'sessions'} ended" in told
    assert destroyed[0].details["sessions"] >= 1
    time.sleep(CACHE_SECONDS + 0.5)  # until every worker has read the ring again
    again = client.sign_in(person)
    assert header(again.access)["kid"] == now["active"][0]
    for one in clients:
        expect(one.me(again.access), 200)


def test_session_of_a_later_key_outlives_a_compromised_one(service: Server, client: Client) -> None:
    person = client.create_person()
    first = header(person.access)["kid"]
    service.rows(
        "UPDATE secure_auth_key SET activated_at = %s WHERE kid = %s", ["2020-01-01 00:00:00", first]
    )
    rotate(service)
    retired = service.rows(
        "SELECT kid FROM secure_auth_key WHERE state = 'retired' ORDER BY retired_at DESC LIMIT 1"
    )
    wait_until_signed_by(client, person, ring(service)["active"][0])
    service.rows(
        "UPDATE secure_auth_key SET retired_at = %s WHERE kid = %s", ["2020-01-02 00:00:00", retired[0][0]]
    )
    service.manage("rotate_keys", "--compromised", retired[0][0])
    expect(client.me(person.access), 200)
    person.keep(expect(client.refresh(person.refresh), 200))


def test_next_key_can_be_compromised_too(service: Server, client: Client) -> None:
    before = ring(service)
    told = service.manage("rotate_keys", "--compromised", before["next"][0]).stdout
    now = ring(service)
    assert now["active"] == before["active"]
    assert now["next"] != before["next"]
    assert before["next"][0] in now["gone"]
    assert "0 sessions ended" in told
    assert before["next"][0] not in published(client)


@pytest.mark.parametrize("kid", ["", "nothing", "../../etc/passwd"])
def test_unknown_key_is_one_clear_line(service: Server, kid: str) -> None:
    done = service.manage("rotate_keys", "--compromised", kid, check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == "CommandError: no live signing key has this id"


@pytest.mark.parametrize("purpose", ["encryption", "audit", "digest"])
def test_no_key_of_another_ring_is_destroyed_as_compromised(service: Server, purpose: str) -> None:
    """What it sealed would be lost."""
    which = "SELECT kid FROM secure_auth_key WHERE purpose = %s AND state = 'active'"
    (before,) = service.rows(which, [purpose])
    done = service.manage("rotate_keys", "--compromised", before[0], check=False)
    assert done.stderr.splitlines()[-1] == "CommandError: no live signing key has this id"
    assert service.rows(which, [purpose]) == [before]


@pytest.mark.parametrize("purpose", ["encryption", "audit", "digest"])
def test_other_rings_rotate_and_old_secrets_still_open(service: Server, client: Client, purpose: str) -> None:
    person = client.create_person()
    rotate(service, "--purpose", purpose)
    time.sleep(CACHE_SECONDS + 0.5 if purpose == "encryption" else 0)
    client.sign_in(person)
    client.enrol(person, client.sign_in(person).access)
    client.sign_in(person)


def test_key_set_is_answered_briefly_to_who_has_it(client: Client) -> None:
    first = client.get("/.well-known/jwks.json")
    assert first.headers["Cache-Control"] == f"public, max-age={LEAD_SECONDS}"
    again = client.get("/.well-known/jwks.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.request("HEAD", "/.well-known/jwks.json")
    assert head.headers["ETag"] == first.headers["ETag"]
    assert head.headers["Content-Length"] == first.headers["Content-Length"]
    # What a 304 says replaces what a browser keeps: other origins go on loading the set.
    answers = (first, again, head)
    assert {answer.headers["Cross-Origin-Resource-Policy"] for answer in answers} == {"cross-origin"}


def test_eddsa_by_setting_comes_with_the_next_rotation(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, environment={"SIGNING_ALGORITHM": "EdDSA"}) as server:
        client = Client(server, new_address())
        person = client.create_person()
        assert header(person.access)["alg"] == "EdDSA"
        assert {key["crv"] for key in client.get("/.well-known/jwks.json").json()["keys"]} == {"Ed25519"}
        expect(client.me(person.access), 200)
        client.close()
