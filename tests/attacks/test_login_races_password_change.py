"""Somebody with the old password logs in while it is being replaced or the sessions are being ended.

Attacker: knows password and recovery codes. Move: both steps, timed into a password change, a mailed reset or
`DELETE sessions/`. Refusal: the login loses the race: no session lives afterwards that was opened on the old secret,
and its tokens open nothing.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.attacks.evidence import claims, live_sessions
from tests.attacks.mails import wait_for_link
from tests.attacks.races import Runner, assert_nothing_is_left, race
from tests.attacks.volley import fire, statuses
from tests.client import Client, Person, code_of, expect
from tests.conftest import scaled
from tests.server import TESTED_BACKENDS, Server, running_server

ROUNDS = scaled(4, 60)
RUNNERS = 4


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In place of the shared one, which hashes cheaply: the race is in the time of a hash."""
    many = {"LIMIT_PASSWORD_SESSION": "1000/min"}
    directory = tmp_path_factory.mktemp("races")
    with running_server(request.param, directory, hashes_cheaply=False, environment=many) as running:
        yield running


def rounds(
    client: Client, person: Person, new_client: Callable[..., Client], number: int = ROUNDS
) -> Iterator[list[Runner]]:
    """Runners with fresh recovery codes, round after round."""
    for _ in range(number):
        answer = client.post("mfa/recovery-codes/", None, person.access)
        codes = expect(answer, 200)["recovery_codes"]
        yield [Runner(new_client(), codes[number]) for number in range(RUNNERS)]


def test_login_races_password_change(server: Server, new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    for number, runners in enumerate(rounds(owner, person, new_client)):
        body = {"current_password": person.password, "new_password": f"passphrase number {number} of many"}
        race(person, runners, partial(new_client().post, "password/change/", body, person.access))
        assert_nothing_is_left(server, person, runners, kept={person.session_id})
        person.password = body["new_password"]
    expect(owner.login(person), 200)


def test_login_races_end_of_all_sessions(server: Server, new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    for runners in rounds(owner, person, new_client):
        race(person, runners, partial(owner.delete, "sessions/", person.access))
        # The password is still good: a login that began afterwards may stand. One that began before may not.
        for runner in runners[::2]:
            if runner.pair:
                assert code_of(runner.client.me(runner.pair["access"])) == "invalid_token"
        expect(owner.delete("sessions/", person.access), 204)
        assert live_sessions(server, claims(person.access)["sub"]) == {person.session_id}


def test_login_races_mailed_reset(server: Server, new_client: Callable[..., Client]) -> None:
    for number in range(scaled(2, 20)):
        owner = new_client()
        person = owner.sign_up()
        expect(owner.post("password/reset/", {"email": person.email}), 202)
        token = wait_for_link(owner, person, "reset")
        runners = [Runner(new_client(), code) for code in person.recovery_codes[:RUNNERS]]
        body = {"token": token, "new_password": f"passphrase number {number} of many"}
        race(person, runners, partial(owner.post, "password/reset/confirm/", body))
        assert_nothing_is_left(server, person, runners, kept=set())


def test_password_changed_twice_at_once_is_changed_once(new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    bodies = [
        {"current_password": person.password, "new_password": f"passphrase number {number} of many"}
        for number in range(4)
    ]
    answers = fire([partial(owner.post, "password/change/", body, person.access) for body in bodies])
    assert statuses(answers) == {204: 1, 401: 3}
    winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.is_success)
    expect(owner.login(person, winner["new_password"]), 200)
