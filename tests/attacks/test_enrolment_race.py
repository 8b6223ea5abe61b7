"""Two people with one password enrol an authenticator each.

Attacker: knows the password of an account that has no second factor yet. Move: begins an enrolment before the owner
confirms theirs, and confirms after it, or at the same moment. Refusal: one authenticator is bound; the other, and the
partial token it was begun with, are dead.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import claims, live_sessions
from tests.attacks.volley import fire
from tests.authenticator import Authenticator
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import scaled
from tests.server import Server

Begun = tuple[Client, str, str, Authenticator]


def confirmed(client: Client) -> tuple[Person, str]:
    """Somebody who confirmed the mailbox and has no second factor, and their partial token."""
    person = Person(new_email())
    expect(client.register(person), 202)
    token = client.mailbox(person).wait_for_token()
    return person, expect(client.confirm(token, person.password), 200)["partial_token"]


def begin(client: Client, token: str) -> Begun:
    begun = expect(client.post("mfa/totp/", {}, token), 201)
    return client, token, begun["id"], Authenticator(begun["secret"])


def authenticators_of(server: Server, token: str) -> list[tuple[str]]:
    """The ids of the account's authenticators, bound or not."""
    return server.rows("SELECT id FROM mfa_totpauthenticator WHERE user_id = %s", [claims(token)["sub"]])


def test_second_to_confirm_finds_the_enrolment_closed(
    server: Server, new_client: Callable[..., Client]
) -> None:
    owner, attacker = new_client(), new_client()
    person, token = confirmed(owner)
    stolen = expect(attacker.login(person), 200)
    assert stolen["next"] == "enroll"
    _, _, planted_id, planted = begin(attacker, stolen["partial_token"])
    owner.enrol(person, token)
    body = {"code": planted.code()}
    dead = attacker.post(f"mfa/totp/{planted_id}/confirm/", body, stolen["partial_token"])
    assert code_of(dead) == "invalid_token"
    assert code_of(attacker.post("mfa/totp/", {}, stolen["partial_token"])) == "invalid_token"
    pending = expect(attacker.login(person), 200)
    assert pending["next"] == "verify"
    assert code_of(attacker.verify(pending["partial_token"], planted.code())) == "invalid_code"
    assert len(expect(owner.get("mfa/", person.access), 200)["authenticators"]) == 1
    assert (
        len(authenticators_of(server, pending["partial_token"])) == 1
    )  # the secret of the other is gone too


def test_of_many_who_confirm_at_once_one_is_bound(server: Server, new_client: Callable[..., Client]) -> None:
    for _ in range(scaled(2, 20)):
        person, token = confirmed(new_client())
        rivals = [begin(new_client(), token)]
        for _ in range(4):
            rival = new_client()
            rivals.append(begin(rival, expect(rival.login(person), 200)["partial_token"]))
        answers = fire(
            [
                partial(client.post, f"mfa/totp/{id_}/confirm/", {"code": app.code()}, pending)
                for client, pending, id_, app in rivals
            ]
        )
        (winner,) = (answer.json() for answer in answers if answer.is_success)
        assert {code_of(answer) for answer in answers if not answer.is_success} <= {"invalid_token"}
        listed = expect(rivals[0][0].get("mfa/", winner["access"]), 200)
        assert len(listed["authenticators"]) == 1
        user_id = expect(rivals[0][0].me(winner["access"]), 200)["id"]
        assert live_sessions(server, user_id) == {winner["session_id"]}


def test_authenticator_of_one_pending_login_is_not_confirmed_by_another(
    new_client: Callable[..., Client],
) -> None:
    owner, attacker = new_client(), new_client()
    person, token = confirmed(owner)
    _, _, id_, app = begin(owner, token)
    stolen = expect(attacker.login(person), 200)["partial_token"]
    answer = attacker.post(f"mfa/totp/{id_}/confirm/", {"code": app.code()}, stolen)
    assert code_of(answer) == "not_found"


def test_login_under_way_dies_when_another_factor_is_bound(client: Client) -> None:
    person = client.create_person()
    login = expect(client.login(person), 200)["partial_token"]
    client.enrol(person, person.access)
    assert code_of(client.verify(login, person.recovery_codes[0], "recovery_code")) == "invalid_token"


def test_enrolments_begun_without_end_push_out_none_but_their_own(new_client: Callable[..., Client]) -> None:
    owner, attacker = new_client(), new_client()
    person, token = confirmed(owner)
    _, _, id_, app = begin(owner, token)
    stolen = expect(attacker.login(person), 200)["partial_token"]
    (_, _, oldest, planted), *_ = [begin(attacker, stolen) for _ in range(6)]
    dead = attacker.post(f"mfa/totp/{oldest}/confirm/", {"code": planted.code()}, stolen)
    assert code_of(dead) == "not_found"
    expect(owner.post(f"mfa/totp/{id_}/confirm/", {"code": app.code()}, token), 200)


def test_enrolment_of_yesterday_is_dropped(server: Server, client: Client) -> None:
    person = client.sign_up()
    body = {"name": "given up"}
    expect(client.post("mfa/totp/", body, person.access), 201)
    server.rows(
        "UPDATE mfa_totpauthenticator SET created_at = '2001-01-01 00:00:00+00:00' WHERE name = %s",
        ["given up"],
    )
    expect(client.post("mfa/totp/", {}, person.access), 201)
    assert server.rows("SELECT 1 FROM mfa_totpauthenticator WHERE name = %s", ["given up"]) == []
