"""A flood at an account, or its owner's own many programs, keep honest people from signing in.

Attacker: floods one account with wrong passwords, hoping that waiting or refusals spill over; or nobody, where a fleet
of programs signs in to one account in one moment. Expected: correct logins that arrive together all pass, beside wrong
guesses from elsewhere too; other accounts' logins neither fail nor wait for the flooded one.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks.barrage import Hit, barrage, guess, shot, tally
from tests.attacks.evidence import events
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address, scaled
from tests.server import LONG, TESTED_BACKENDS, Server, running_server

pytestmark = pytest.mark.alone
CROWD = 50
FLOOD = scaled(200, 1000)
OTHERS = 8  # with the flood's five hashes fewer than a node has places


@pytest.fixture(scope="module", params=TESTED_BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """In place of the shared one, which hashes cheaply: a crowd waits for hashes."""
    with running_server(
        request.param, tmp_path_factory.mktemp("crowd"), worker=False, hashes_cheaply=False
    ) as running:
        yield running


def assert_all_pass(server: Server, client: Client, person: Person) -> None:
    """25 correct logins from each of two sources at once; each opens a login of its own."""
    addresses = [new_address(), new_address()]
    hits = barrage(
        server,
        [guess(server, person.email, person.password, address=addresses[n % 2]) for n in range(CROWD)],
    )
    assert tally(hits) == {"ok": CROWD}
    partials = {json.loads(hit.body)["partial_token"] for hit in hits}
    assert len(partials) == CROWD
    expect(client.verify(partials.pop(), person.recovery_codes[0], "recovery_code"), 200)
    passed = events(server, type="login.password", outcome="success")
    assert len([event for event in passed if event.ip in addresses]) == CROWD


def test_fifty_correct_logins_at_once_pass_at_one_node(server: Server, client: Client) -> None:
    assert_all_pass(server, client, client.create_person())


def test_fifty_correct_logins_at_once_pass_over_four_processes(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    client = visit(fleet)
    assert_all_pass(fleet, client, client.sign_up())


def test_correct_logins_pass_among_wrong_guesses_from_elsewhere(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    """Ten guesses are evaluated, and no more hashes are under way at once than a node has places for.

    Nobody waits for longer than a second. A machine that is busy with other things may not get through so many hashes
    in it: then once more, with another account.
    """
    for _ in range(3):
        if pass_among_guesses(fleet, visit(fleet).sign_up()) == {"ok": 20}:
            return
    raise AssertionError("correct logins were refused, again and again")


def pass_among_guesses(fleet: Server, person: Person) -> Counter[str]:
    """What came of 20 correct logins among 80 guesses from two other sources."""
    own = new_address()
    strangers = [new_address() for _ in range(2)]
    shots = []
    for number in range(100):
        password, address = f"wrong {number}", strangers[number % 2]
        if number % 5 == 0:
            password, address = person.password, own
        shots.append(guess(fleet, person.email, password, address=address))
    hits = barrage(fleet, shots)
    wrong = tally(hit for number, hit in enumerate(hits) if number % 5)
    assert set(wrong) <= {"invalid_credentials", "temporarily_locked", "rate_limited"}, wrong
    assert wrong["invalid_credentials"] == 10
    return tally(hits[::5])


def test_flood_at_one_account_fails_no_other_accounts_login(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    people = [visit(fleet).sign_up() for _ in range(OTHERS)]
    victim, attackers = new_email("nobody"), [new_address() for _ in range(2)]
    shots = [guess(fleet, victim, f"wrong {n}", address=attackers[0]) for n in range(FLOOD)]
    places = [FLOOD // OTHERS * number for number in range(OTHERS)]
    for place, person in zip(places, people, strict=True):
        shots.insert(place, guess(fleet, person.email, person.password, address=new_address()))
    hits = barrage(fleet, shots)
    honest: list[Hit] = [hits[place] for place in places]
    assert tally(honest) == {"ok": OTHERS}
    assert tally(hits)["invalid_credentials"] == 5


@pytest.mark.parametrize("backend", [*(["sqlite", "postgres"] * LONG), "postgres+redis"])
def test_waiting_guesses_take_no_threads_from_others(
    backend: str, tmp_path: Path, visit: Callable[..., Client]
) -> None:
    """Five slow hashes are under way and all others would like to wait for them: a quarter of the threads may.

    Somebody behind the whole flood is answered before the first hash is done; if all might wait, only after it.
    """
    slow = {"SERVER_WORKERS": "1", "SERVER_THREADS": "16", "ARGON2_TIME_COST": "64"}
    unhindered = {"LIMIT_PASSWORD_SOURCE": "1000/min"}
    with running_server(
        backend, tmp_path, worker=False, environment=slow | unhindered, hashes_cheaply=False
    ) as server:
        person = visit(server).create_person()
        victim, address = new_email("nobody"), new_address()
        shots = [guess(server, victim, f"wrong {n}", address=address) for n in range(120)]
        shots.append(shot(server, "me/", None, token=person.access, address=new_address(), method="GET"))
        hits = barrage(server, shots)
        hashed = [hit.seconds for hit in hits if hit.code == "invalid_credentials"]
        assert len(hashed) == 5
        assert hits[-1].code == "ok"
        assert hits[-1].seconds < min(hashed)
