"""A guesser or a flood spends the password step from one network.

Attacker: one source, or an IPv6 network with as many addresses as there are. Move: more than 30 password steps a
minute, from one address, from one /64, or spread over the /64s of one /48. Refusal: 30 a minute for an IPv4 address
and a /64, ten times that for a /48; right passwords count like wrong ones.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import codes, statuses, stream
from tests.client import Client, code_of, expect
from tests.conftest import new_address_v6
from tests.server import LONG, running_server

# One account and source bear five checks at the same moment before others have to wait.
UNHINDERED = 4
# The number of attempts matters here, not what each costs.
CHEAP = {"ARGON2_MEMORY_KIB": "8", "ARGON2_TIME_COST": "1"}


def test_source_has_thirty_password_steps_a_minute(new_client: Callable[..., Client]) -> None:
    person, flood = new_client().sign_up(), new_client()
    answers = stream((partial(flood.login, person) for _ in range(40)), at_once=UNHINDERED)
    assert statuses(answers) == {200: 30, 429: 10}
    assert codes(answers) == {"rate_limited": 10}
    for refused in (answer for answer in answers if answer.status_code == 429):
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert '"password_source";r=0' in refused.headers["RateLimit"]
        assert refused.headers["RateLimit-Policy"] == '"password_source";q=30;w=60'
    expect(new_client().login(person), 200)


def test_addresses_of_one_64_network_share_its_thirty(new_client: Callable[..., Client]) -> None:
    person, network = new_client().sign_up(), new_address_v6().removesuffix("::1")
    neighbours = [new_client(f"{network}:{number:x}::1") for number in range(1, 6)]
    answers = stream(partial(neighbours[number % 5].login, person) for number in range(35))
    statuses_seen = statuses(answers)
    assert statuses_seen[200] == 35, "five /64 networks are five sources"
    inside = [new_client(f"{network}:ff:0:0:{number:x}:1") for number in range(1, 6)]
    guesses = (partial(inside[number % 5].login, person) for number in range(35))
    answers = stream(guesses, at_once=UNHINDERED)
    assert statuses(answers) == {200: 30, 429: 5}


@pytest.mark.parametrize("backend", [*(["sqlite", "postgres"] * LONG), "postgres+redis"])
def test_48_network_has_ten_times_as_many(backend: str, tmp_path: Path, visit: Callable[..., Client]) -> None:
    with running_server(backend, tmp_path, worker=False, environment=CHEAP) as server:
        person = visit(server).create_person()
        network = new_address_v6().removesuffix("::1")
        sources = [visit(server, f"{network}:{number:x}::1") for number in range(1, 14)]
        answers = stream(partial(sources[number % 13].login, person) for number in range(310))
        assert statuses(answers) == {200: 300, 429: 10}
        opened = events(server, type="login.password", outcome="success")
        assert len([event for event in opened if event.ip.startswith("3fff:")]) == 300
        expect(visit(server).login(person), 200)
        expect(visit(server, new_address_v6()).login(person), 200)


def test_wrong_address_forms_of_one_source_are_one_source(new_client: Callable[..., Client]) -> None:
    first = new_client()
    person = new_client().sign_up()
    mapped = new_client(f"::ffff:{first.address}")
    for client in (first, mapped, first, mapped, first):
        assert code_of(client.login(person, "wrong")) == "invalid_credentials"
    assert code_of(mapped.login(person)) == "temporarily_locked"
