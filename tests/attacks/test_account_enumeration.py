"""A stranger asks which addresses have accounts here.

Attacker: has a list of addresses. Move: logs in, registers and resets with each, and compares the answers, through the
lockout too. Refusal: an account that exists, one that does not, a disabled and an unconfirmed one answer alike in
status, body, header fields and lockout, with the right password of a disabled or unconfirmed one as with a wrong one.
"""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.attacks.evidence import change_bucket
from tests.client import Client, Person, expect, new_email
from tests.server import Server

VARYING = {"date", "x-request-id"}
LOCK = "password_account_source"


def shape(answer: httpx.Response) -> tuple[Any, ...]:
    """Everything of an answer that could tell accounts apart; a lock's remaining time by the quarter hour."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    if answer.status_code == 429:
        headers["retry-after"] = str(-(-int(headers["retry-after"]) // 900))
    headers = {name: value.split(";t=")[0] for name, value in headers.items()}
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    return answer.status_code, headers, body


def known(client: Client) -> Person:
    return client.sign_up()


def disabled(client: Client) -> Person:
    person = client.sign_up()
    client.server.manage("disable", person.email)
    return person


def unconfirmed(client: Client) -> Person:
    person = Person(new_email())
    expect(client.register(person), 202)
    return person


def malformed(client: Client) -> Person:
    return Person("not an address")


@pytest.mark.parametrize("make", [known, disabled, unconfirmed, malformed])
def test_login_answers_alike_through_the_lockout(
    new_client: Callable[..., Client], make: Callable[[Client], Person]
) -> None:
    person, nobody = make(new_client()), Person(new_email("nobody"))
    here, there = new_client(), new_client()
    for number in range(8):
        password = f"wrong {number}" if make is known else person.password
        assert shape(here.login(person, password)) == shape(there.login(nobody, password))


@pytest.mark.parametrize("make", [known, disabled])
def test_login_answers_alike_after_the_lock_and_in_the_next(
    server: Server, new_client: Callable[..., Client], make: Callable[[Client], Person]
) -> None:
    """No lane of an account that exists remembers more, or less, than one of an account that does not."""
    person, nobody = make(new_client()), Person(new_email("nobody"))
    here, there = new_client(), new_client()
    for _ in range(5):
        assert here.login(person, "wrong").status_code == there.login(nobody, "wrong").status_code == 401
    for client in (here, there):
        change_bucket(server, LOCK, client.address, locked=int(time.time() * 1000) - 1000)
    for number in range(7):
        seen = shape(here.login(person, "wrong"))
        assert seen == shape(there.login(nobody, "wrong"))
        assert seen[0] == (401 if number < 5 else 429)
    assert seen[1]["retry-after"] == "2", "the second lock is twice as long"


def test_register_and_reset_answer_alike(server: Server, new_client: Callable[..., Client]) -> None:
    person, nobody = new_client().sign_up(), Person(new_email("nobody"))
    here, there = new_client(), new_client()
    for _ in range(4):
        assert shape(here.register(person)) == shape(there.register(nobody))
    for _ in range(4):
        asked, decoy = ({"email": one.email} for one in (person, nobody))
        assert shape(here.post("password/reset/", asked)) == shape(there.post("password/reset/", decoy))


def test_register_tells_only_the_mailbox_that_the_address_is_known(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    mailbox = client.mailbox(person)
    links = len(mailbox.tokens())
    expect(new_client().register(Person(person.email, "another password 12")), 202)
    assert "You already have an account" in str(mailbox.wait_for(3)[-1]["Subject"])
    assert len(mailbox.tokens()) == links + 1  # which resets, for who forgot
