"""A thief and the owner use one refresh token at the same moment.

Attacker: holds a copy of a refresh token. Move: the token 50 times at once, hoping for several live successors.
Refusal: exactly one successor is made; since the token came again, the session ends, the successor with it. With one
Idempotency-Key all 50 get the same successor, and it is the only live one.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import claims, events, live_sessions
from tests.attacks.volley import codes, fire, statuses
from tests.client import Client, code_of, expect
from tests.conftest import scaled
from tests.server import Server

AT_ONCE = 50


def test_token_used_50_times_at_once_has_one_successor_and_ends_its_session(
    server: Server, new_client: Callable[..., Client]
) -> None:
    for _ in range(scaled(3, 30)):
        client = new_client()
        person = client.sign_up()
        answers = fire([partial(client.refresh, person.refresh) for _ in range(AT_ONCE)])
        assert statuses(answers) == {200: 1, 401: AT_ONCE - 1}
        assert codes(answers) == {"invalid_token": AT_ONCE - 1}
        (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
        assert code_of(client.me(winner["access"])) == "invalid_token"
        assert code_of(client.refresh(winner["refresh"])) == "invalid_token"
        assert live_sessions(server, claims(person.access)["sub"]) == set()
        assert len(events(server, type="token.refresh", session=person.session_id)) == 1
        (reuse,) = events(server, type="token.reuse", session=person.session_id)
        assert reuse.severity == "high"


def test_one_key_gives_one_successor_however_often_it_is_sent(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = client.sign_up()
    answers = fire([partial(client.refresh, person.refresh, key="k" * 22) for _ in range(AT_ONCE)])
    assert statuses(answers) == {200: AT_ONCE}
    assert len({claims(answer.json()["refresh"])["jti"] for answer in answers}) == 1
    found = events(server, type="token.refresh", session=person.session_id)
    assert sorted(event.reason for event in found) == [""] + ["replayed"] * (AT_ONCE - 1)
    expect(client.refresh(answers[0].json()["refresh"]), 200)


def test_two_clients_with_two_keys_get_no_two_successors(
    server: Server, new_client: Callable[..., Client]
) -> None:
    for _ in range(scaled(3, 30)):
        client = new_client()
        person = client.sign_up()
        keys = ["a" * 22, "b" * 22]
        answers = fire([partial(client.refresh, person.refresh, key=keys[n % 2]) for n in range(20)])
        successors = {claims(answer.json()["refresh"])["jti"] for answer in answers if answer.is_success}
        assert len(successors) == 1
        assert live_sessions(server, claims(person.access)["sub"]) == set()
