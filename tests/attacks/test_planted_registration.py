"""Somebody registers another's address with a password of their own, and waits for the owner to click.

Attacker: knows the victim's address, not the mailbox. Move: registers it before, after, or instead of the owner.
Refusal: a mailed link works with the password of its own registration only; the first confirmed registration makes
the account, and every other one of the address, with its password and its link, is dead.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.volley import fire
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import scaled
from tests.server import Server

PLANTED = "the attacker's own password 1"


def link_of(client: Client, person: Person, links: int) -> str:
    return client.mailbox(person).wait_for_token(after=links)


def test_owner_wins_over_a_planted_registration(new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    person = Person(new_email("victim"))
    expect(attacker.register(Person(person.email, PLANTED)), 202)
    planted = link_of(owner, person, 0)
    assert code_of(owner.confirm(planted, person.password)) == "invalid_credentials"

    expect(owner.register(person), 202)
    own = link_of(owner, person, 1)
    assert code_of(attacker.confirm(own, PLANTED)) == "invalid_credentials"
    token = expect(owner.confirm(own, person.password), 200)["partial_token"]
    owner.enrol(person, token)

    assert code_of(attacker.confirm(planted, PLANTED)) == "invalid_link"
    assert code_of(attacker.login(person, PLANTED)) == "invalid_credentials"
    assert expect(owner.login(person), 200)["next"] == "verify"


def test_planted_registration_after_the_owners_changes_nothing(new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    person = Person(new_email("victim"))
    expect(owner.register(person), 202)
    own = link_of(owner, person, 0)
    expect(attacker.register(Person(person.email, PLANTED)), 202)
    link_of(owner, person, 1)
    expect(owner.confirm(own, person.password), 200)
    assert code_of(attacker.login(person, PLANTED)) == "invalid_credentials"


def test_registration_of_a_known_address_changes_nothing(new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    person = owner.sign_up()
    expect(attacker.register(Person(person.email.upper(), PLANTED)), 202)
    owner.mailbox(person).wait_for(3)
    own, told = owner.mailbox(person).tokens()
    for token in (own, told):  # the one that tells of this resets, for whoever has the mailbox
        assert code_of(attacker.confirm(token, PLANTED)) == "invalid_link"
    assert code_of(attacker.login(person, PLANTED)) == "invalid_credentials"
    expect(owner.login(person), 200)


def test_two_registrations_confirmed_at_once_make_one_account(
    server: Server, new_client: Callable[..., Client]
) -> None:
    for _ in range(scaled(3, 15)):
        clients = [new_client() for _ in range(2)]
        person = Person(new_email())
        passwords = ["first of the two passwords", "second of the two passwords"]
        links: list[str] = []
        for client, password in zip(clients, passwords, strict=True):
            expect(client.register(Person(person.email, password)), 202)
            links.append(link_of(client, person, len(links)))
        answers = fire(
            [
                partial(client.confirm, link, password)
                for client, link, password in zip(clients, links, passwords, strict=True)
            ]
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        winner = next(number for number, answer in enumerate(answers) if answer.is_success)
        expect(new_client().login(person, passwords[winner]), 200)
        assert code_of(new_client().login(person, passwords[1 - winner])) == "invalid_credentials"
        assert server.rows(
            "SELECT count(*) FROM secure_auth_registration WHERE email = %s", [person.email]
        ) == [(0,)]
