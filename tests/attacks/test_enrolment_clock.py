"""Somebody uses what an enrolment tells of a wrong clock as an oracle.

Attacker: knows the password, or holds a session. Move: codes of other times at the login, where being told would show
which codes are right later; at the enrolment of somebody else, or of this account, over and over. Refusal: a login, a
reauthentication and a bound authenticator tell nothing; at an enrolment such a code binds nothing and counts as wrong.
"""

import time

from tests.attacks.evidence import events
from tests.authenticator import STEP_SECONDS, Authenticator
from tests.client import Client, Person, expect
from tests.problems import problem
from tests.server import Server


def off(app: Authenticator | None, minutes: int) -> str:
    """The code that the app would show if its clock were so wrong."""
    assert app
    return app.code_at(int(time.time() + minutes * 60) // STEP_SECONDS)


def test_no_door_but_the_enrolment_tells_of_the_clock(client: Client) -> None:
    person = client.create_person()
    partial = expect(client.login(person), 200)["partial_token"]
    wrong = problem(client.verify(partial, person.authenticator.wrong_code()), "invalid_code")  # type: ignore[union-attr]
    for minutes in (-3, 3):
        code = off(person.authenticator, minutes)
        told = problem(client.verify(partial, code), "invalid_code")
        assert {**told, "request_id": ""} == {**wrong, "request_id": ""}
        again = problem(
            client.post("reauthenticate/", {"method": "totp", "code": code}, person.access), "invalid_code"
        )
        assert {**again, "request_id": ""} == {**wrong, "request_id": ""}


def test_code_of_another_time_binds_nothing_and_counts_as_wrong(server: Server, client: Client) -> None:
    person = client.create_person()
    begun = expect(client.post("mfa/totp/", {}, person.access), 201)
    app, path = Authenticator(begun["secret"]), f"mfa/totp/{begun['id']}/confirm/"
    for _ in range(5):
        told = problem(client.post(path, {"code": off(app, 3)}, person.access), "invalid_code")
        assert told["clock_offset_seconds"] > 0
    problem(client.post(path, {"code": app.code()}, person.access), "temporarily_locked", "rate_limited")
    assert len(expect(client.get("mfa/", person.access), 200)["authenticators"]) == 1
    me = expect(client.me(person.access), 200)["id"]
    wrong = events(server, type="mfa.totp.confirm", outcome="failure", reason="wrong_code", user=me)
    assert len(wrong) == 5


def test_somebody_elses_enrolment_tells_nothing(client: Client) -> None:
    owner, stranger = client.create_person(), client.create_person()
    begun = expect(client.post("mfa/totp/", {}, owner.access), 201)
    path = f"mfa/totp/{begun['id']}/confirm/"
    code = off(Authenticator(begun["secret"]), 3)
    problem(client.post(path, {"code": code}, stranger.access), "not_found")


def test_bound_authenticator_tells_nothing(client: Client) -> None:
    person: Person = client.create_person()
    bound = expect(client.get("mfa/", person.access), 200)["authenticators"][0]["id"]
    code = off(person.authenticator, 3)
    problem(client.post(f"mfa/totp/{bound}/confirm/", {"code": code}, person.access), "not_found")
