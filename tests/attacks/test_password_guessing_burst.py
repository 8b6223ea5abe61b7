"""A guesser fires many passwords at one account in one moment, hoping that checks overtake the count.

Attacker: knows an address, has many connections. Move: wrong passwords at once, at one or several nodes; or a few each
from many sources. Refusal: exactly five are evaluated for account and source, exactly 100 for the account from
anywhere; everything else is 429, for unknown addresses too.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import codes, fire, statuses, stream
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server, running_server

GUESSES = 100
ALLOWED = 5


def assert_five_were_evaluated(server: Server, address: str, answers: list[int]) -> None:
    """By the answers and by the log, which knows more than the answers tell."""
    assert answers.count(401) == ALLOWED
    assert answers.count(429) == len(answers) - ALLOWED
    assert len(events(server, type="login.password", ip=address)) == ALLOWED
    locks = [event.details["limit"] for event in events(server, type="account.lock", ip=address)]
    assert locks == ["password_account_source"]


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_of_a_hundred_wrong_passwords_at_once_five_are_evaluated(
    server: Server, new_client: Callable[..., Client], known: bool
) -> None:
    victim = new_client().sign_up() if known else Person(new_email("nobody"))
    attacker = new_client()
    guesses = [partial(attacker.login, victim, f"wrong password {number}") for number in range(GUESSES)]
    answers = fire(guesses)
    assert_five_were_evaluated(server, attacker.address, [answer.status_code for answer in answers])
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 429)
    assert code_of(attacker.login(victim)) == "temporarily_locked"


def test_right_password_among_the_burst_is_not_found_after_the_fifth(
    new_client: Callable[..., Client],
) -> None:
    victim = new_client().sign_up()
    attacker = new_client()
    assert statuses(stream(partial(attacker.login, victim, f"wrong {n}") for n in range(ALLOWED))) == {401: 5}
    answers = fire([partial(attacker.login, victim) for _ in range(20)])
    assert codes(answers) == {"temporarily_locked": 20}


def test_guesses_at_two_nodes_share_one_count(tmp_path: Path, visit: Callable[..., Client]) -> None:
    with running_server("postgres+redis", tmp_path, nodes=2) as server:
        owner = visit(server)
        victim = owner.sign_up()
        first = visit(server)
        attackers = [first, visit(server, first.address, node=1)]
        guesses = [
            partial(attackers[number % 2].login, victim, f"wrong {number}") for number in range(GUESSES)
        ]
        answers = [answer.status_code for answer in fire(guesses)]
        assert_five_were_evaluated(server, first.address, answers)
        expect(owner.login(victim), 200)


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
