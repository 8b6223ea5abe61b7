"""A guesser fires many passwords at one account in one moment, hoping that checks overtake the count.

Attacker: knows an address, has many connections. Move: hundreds of wrong passwords at once over four server processes,
from one source, or a few each from many. Refusal: exactly five are evaluated for account and source, exactly 100 for
the account from anywhere; everything else is 429, for unknown addresses too.
"""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.barrage import barrage, guess, tally
from tests.attacks.evidence import events
from tests.attacks.volley import codes, fire, statuses, stream
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address, scaled
from tests.server import Server

BARRAGE = scaled(200, 1000)
ALLOWED = 5
CAP = 100
CLOSED = ("temporarily_locked", "rate_limited")  # a large barrage uses up its source's requests as well
REMEMBERED_SECONDS = 1.1  # a rate that was refused is refused from memory for a second
WAVES = 12


def assert_five_were_evaluated(server: Server, address: str, answers: list[int]) -> None:
    """By the answers and by the log, which knows more than the answers tell."""
    assert answers.count(401) == ALLOWED
    assert answers.count(429) == len(answers) - ALLOWED
    assert len(events(server, type="login.password", ip=address)) == ALLOWED
    locks = [event.details["limit"] for event in events(server, type="account.lock", ip=address)]
    assert locks == ["password_account_source"]


def test_right_password_among_the_burst_is_not_found_after_the_fifth(
    new_client: Callable[..., Client],
) -> None:
    victim = new_client().sign_up()
    attacker = new_client()
    assert statuses(stream(partial(attacker.login, victim, f"wrong {n}") for n in range(ALLOWED))) == {401: 5}
    answers = fire([partial(attacker.login, victim) for _ in range(20)])
    assert codes(answers) == {"temporarily_locked": 20}


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_of_a_barrage_over_four_processes_five_are_evaluated(
    fleet: Server, visit: Callable[..., Client], known: bool
) -> None:
    owner, address = visit(fleet), new_address()
    victim = owner.sign_up() if known else Person(new_email("nobody"))
    shots = [guess(fleet, victim.email, f"wrong {number}", address=address) for number in range(BARRAGE)]
    hits = barrage(fleet, shots)
    assert_five_were_evaluated(fleet, address, [hit.status for hit in hits])
    time.sleep(REMEMBERED_SECONDS)
    for node in (0, -1):
        refused = visit(fleet, address, node=node).login(victim)
        assert code_of(refused) in CLOSED
        assert 0 < int(refused.headers["Retry-After"]) <= 900
    if known:
        expect(owner.login(victim), 200)


def test_of_a_barrage_from_many_sources_a_hundred_are_evaluated(
    fleet: Server, visit: Callable[..., Client]
) -> None:
    """What found no hashing capacity (503) was not evaluated: it is fired again until the account is closed."""
    victim, addresses = Person(new_email("nobody")), [new_address() for _ in range(BARRAGE // 4)]
    seen: Counter[str] = Counter()
    for wave in range(WAVES):
        shots = [
            guess(fleet, victim.email, f"wrong {wave} {number}", address=addresses[number // 4])
            for number in range(BARRAGE)
        ]
        codes_seen = tally(barrage(fleet, shots))
        seen += codes_seen
        if set(codes_seen) == {"temporarily_locked"}:
            break
    assert set(codes_seen) == {"temporarily_locked"}
    assert set(seen) <= {"invalid_credentials", "temporarily_locked", "rate_limited", "service_unavailable"}
    assert seen["invalid_credentials"] == CAP
    evaluated = [event for event in events(fleet, type="login.password") if event.ip in addresses]
    assert len(evaluated) == CAP
    assert code_of(visit(fleet).login(victim)) == "temporarily_locked"


def test_hundred_consecutive_failures_from_anywhere_close_the_password_for_all_sources(
    server: Server, new_client: Callable[..., Client]
) -> None:
    owner = new_client()
    victim = owner.sign_up()
    signed = expect(owner.login(victim), 200)
    device = expect(
        owner.verify(
            signed["partial_token"], victim.recovery_codes[0], "recovery_code", remember_device=True
        ),
        200,
    )
    sources = [new_client() for _ in range(27)]
    guesses = [partial(source.login, victim, "wrong") for source in sources for _ in range(4)]
    assert statuses(stream(guesses)) == {401: 100, 429: 8}

    assert code_of(new_client().login(victim)) == "temporarily_locked"
    assert owner.me(device["access"]).status_code == 200, "the lock ends no live session"
    known = {"X-Device-Token": device["device_token"]}
    expect(new_client().login(victim, headers=known), 200)

    expect(owner.post("password/reset/", {"email": victim.email}), 202)
    token = owner.mailbox(victim).wait_for_token(after=1)
    body = {"token": token, "new_password": "a brand new passphrase 7"}
    expect(owner.post("password/reset/confirm/", body), 204)
    expect(new_client().login(victim, "a brand new passphrase 7"), 200)
