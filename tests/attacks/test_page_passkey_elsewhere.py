"""A passkey's answer is taken to another door than it was given for, on the pages.

Attacker: got an answer of the owner's passkey, or has a login or session of their own. Move: shows it in another login
of the same account, in a reauthentication, for a new passkey, in another account's session, twice; in its place garbage
of every kind. Refusal: 401 or 400 on the same page, nobody is signed in or proved, nothing is bound.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.visits import visiting
from tests.client import Client, Person
from tests.passkeys import Passkey
from tests.server import Server
from tests.visitor import Visitor

GARBAGE: list[Any] = [
    None,
    [],
    {},
    {"type": "public-key"},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": []},
    {"id": "\x00", "rawId": "AA", "type": "public-key", "response": {}},
    {"id": 5, "rawId": [], "type": "public-key", "response": {"clientDataJSON": 1}},
]
Owner = tuple[Visitor, Person, Passkey]


@pytest.fixture
def owner(server: Server, client: Client) -> Iterator[Owner]:
    person = client.create_person()
    with visiting(server, person) as visitor:
        yield visitor, person, visitor.add_passkey("The key")


def answer_of(visitor: Visitor, person: Person, passkey: Passkey) -> dict[str, Any]:
    """What the owner's passkey answers in a login that is under way."""
    visitor.prove_password(person)
    assert visitor.page.path == "/sign-in/code/"
    return passkey.show(visitor.options("/sign-in/passkey/"))


def test_an_answer_opens_its_own_login_once(server: Server, owner: Owner) -> None:
    _, person, passkey = owner
    with visiting(server) as first, visiting(server) as second:
        answer = answer_of(first, person, passkey)
        second.prove_password(person)
        assert second.show(answer).status == 401
        assert not second.is_signed_in
        first.show(answer)
        assert first.is_signed_in
        second.prove_password(person)
        assert second.show(answer).status == 401
        assert not second.is_signed_in


def test_an_answer_to_a_login_proves_nothing_again_and_binds_nothing(server: Server, owner: Owner) -> None:
    visitor, person, passkey = owner
    with visiting(server) as other:
        answer = answer_of(other, person, passkey)
    visitor.open("/reauthenticate/")
    assert visitor.show(answer).status == 401
    visitor.open("/passkeys/new/")
    assert visitor.show(answer, name="x").status == 400
    count = (
        "SELECT count(*) FROM mfa_passkey p JOIN secure_auth_user u ON u.id = p.user_id WHERE u.email = %s"
    )
    assert server.rows(count, [person.email]) == [(1,)]


def test_an_answer_proves_nothing_in_another_accounts_session(
    server: Server, client: Client, owner: Owner
) -> None:
    visitor, _, passkey = owner
    with visiting(server, client.create_person()) as thief:
        thief.add_passkey()
        thief.open("/reauthenticate/")
        assert thief.show(passkey.show(thief.options("/reauthenticate/passkey/"))).status == 401
        visitor.open("/reauthenticate/")
        answer = passkey.show(visitor.options("/reauthenticate/passkey/"))
        assert thief.show(answer).status == 401
    visitor.show(answer)
    assert visitor.page.path == "/"


def test_garbage_is_a_fault_of_the_form(server: Server, owner: Owner) -> None:
    _, person, passkey = owner
    with visiting(server) as other:
        answer = answer_of(other, person, passkey)
        whole = json.loads(json.dumps(answer))
        whole["response"]["userHandle"] = "%"
        texts = ["", "{", "[" * 15_000, "\u00e9", json.dumps(whole), *map(json.dumps, GARBAGE)]
        for text in texts:
            assert other.fill(credential=text).status == 400, text[:80]
        other.show(answer)
        assert other.is_signed_in  # none of it was a try


def test_a_name_is_shown_as_text(owner: Owner) -> None:
    visitor, _, _ = owner
    visitor.add_passkey("<img src=x onerror=alert(1)>")
    assert "<img src=x" not in visitor.open("/").response.text
