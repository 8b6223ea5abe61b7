"""Somebody who copied the sheet of recovery codes races its owner.

Attacker: knows the password and one recovery code. Move: the code 50 times at once over many pending logins, in
several spellings; on several nodes and at both doors; or again later. Refusal: a code is spent once; new codes kill all
old ones.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.evidence import claims, events, live_sessions
from tests.attacks.volley import fire, statuses
from tests.client import Client, code_of, expect
from tests.conftest import scaled
from tests.server import Server

AT_ONCE = 50
LOGINS = 25


def test_code_50_times_at_once_is_spent_once(server: Server, new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    partials = [expect(client.login(person), 200)["partial_token"] for _ in range(LOGINS)]
    code = person.recovery_codes[0]
    spellings = [code, code.lower(), code.replace("-", ""), code.replace("-", " ")]
    answers = fire(
        [
            partial(client.verify, partials[number % LOGINS], spellings[number % 4], "recovery_code")
            for number in range(AT_ONCE)
        ]
    )
    seen = statuses(answers)
    assert seen[200] == 1
    assert seen[200] + seen[401] + seen[429] == AT_ONCE
    assert len(live_sessions(server, claims(person.access)["sub"])) == 2
    assert expect(client.get("mfa/", person.access), 200)["recovery_codes_left"] == 9


def test_code_of_somebody_else_opens_nothing_and_is_left_to_its_owner(
    new_client: Callable[..., Client],
) -> None:
    client, other = new_client(), new_client()
    attacker, owner = client.create_person(), other.create_person()
    token = expect(client.login(attacker), 200)["partial_token"]
    refused = client.verify(token, owner.recovery_codes[0], "recovery_code")
    assert (refused.status_code, code_of(refused)) == (401, "invalid_code")
    body = {"method": "recovery_code", "code": owner.recovery_codes[0]}
    assert code_of(client.post("reauthenticate/", body, attacker.access)) == "invalid_code"
    assert other.recover(owner)["recovery_codes_left"] == 9


@pytest.mark.parametrize("at_once", [2, 6])
def test_of_different_codes_in_one_login_one_is_spent(
    server: Server, new_client: Callable[..., Client], at_once: int
) -> None:
    """The others were not judged: their owner can still use them, and nothing tells that they were used."""
    for _ in range(scaled(2, 10)):
        client = new_client()
        person = client.create_person()
        token = expect(client.login(person), 200)["partial_token"]
        answers = fire(
            [partial(client.verify, token, code, "recovery_code") for code in person.recovery_codes[:at_once]]
        )
        seen = statuses(answers)
        assert seen[200] == 1
        assert expect(client.get("mfa/", person.access), 200)["recovery_codes_left"] == 9
        user = claims(person.access)["sub"]
        assert len(events(server, type="mfa.recovery_codes.use", user=user)) == 1


def test_code_is_not_spent_in_a_login_that_is_taken_back(
    server: Server, new_client: Callable[..., Client]
) -> None:
    for _ in range(scaled(6, 30)):
        client = new_client()
        person = client.create_person()
        token = expect(client.login(person), 200)["partial_token"]
        verified, _ = fire(
            [
                partial(client.verify, token, person.recovery_codes[0], "recovery_code"),
                partial(client.post, "token/revoke/", {"token": token}),
            ]
        )
        left = expect(client.get("mfa/", person.access), 200)["recovery_codes_left"]
        assert left == 10 - verified.is_success


def test_code_at_two_nodes_and_two_doors_at_once_is_spent_once(
    fleet: Server, new_client: Callable[..., Client]
) -> None:
    """Four server processes; at half of them as a login, at half as a reauthentication."""
    clients = [new_client(of=fleet, node=number % len(fleet.nodes)) for number in range(4)]
    person = clients[0].create_person()
    partials = [expect(client.login(person), 200)["partial_token"] for client in clients]
    code = person.recovery_codes[0]
    again = {"method": "recovery_code", "code": code}
    logins = [
        partial(client.verify, token, code, "recovery_code")
        for client, token in zip(clients, partials, strict=True)
    ]
    reauthentications = [partial(client.post, "reauthenticate/", again, person.access) for client in clients]
    answers = fire([*logins, *reauthentications] * 2)
    assert statuses(answers)[200] == 1
    user = claims(person.access)["sub"]
    (spent,) = events(fleet, type="mfa.recovery_codes.use", user=user)
    assert spent.details["left"] == 9
    told = (
        "SELECT count(*) FROM secure_auth_outboxmessage WHERE template = 'recovery_code_used' AND \"to\" = %s"
    )
    assert fleet.rows(told, [person.email]) == [(1,)]


def test_spent_or_replaced_code_opens_nothing(server: Server, client: Client) -> None:
    person = client.sign_up()
    spent, unspent = person.recovery_codes[:2]
    pending = expect(client.login(person), 200)["partial_token"]
    person.keep(expect(client.verify(pending, spent, "recovery_code"), 200))
    again = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(again, spent, "recovery_code")) == "invalid_code"
    new = expect(client.post("mfa/recovery-codes/", None, person.access), 200)["recovery_codes"]
    assert code_of(client.verify(again, unspent, "recovery_code")) == "invalid_token"
    last = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(last, unspent, "recovery_code")) == "invalid_code"
    expect(client.verify(last, new[0], "recovery_code"), 200)
    told = events(server, type="login.second_factor", outcome="failure", ip=client.address)
    judged = [one.reason for one in told if one.reason != "login_ended"]
    assert judged == ["replayed_code", "wrong_code"], "a spent code is no guess: somebody has read the sheet"
