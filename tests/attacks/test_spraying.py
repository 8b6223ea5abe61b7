"""A sprayer tries one common password at many accounts, each too seldom to lock it.

Attacker: a list of addresses, one source. Move: one wrong password an account, one after the other or at once.
Refusal: after twenty different accounts the source is refused, known and unknown accounts alike.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.evidence import events
from tests.attacks.volley import codes, stream
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server

ACCOUNTS = 20


def test_twenty_first_failing_account_is_refused(new_client: Callable[..., Client]) -> None:
    sprayer, victim = new_client(), new_client().sign_up()
    for _ in range(ACCOUNTS):
        assert code_of(sprayer.login(Person(new_email()))) == "invalid_credentials"
    refused = sprayer.login(victim)
    assert code_of(refused) == "rate_limited"
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    expect(new_client().login(victim), 200)


def test_spraying_at_once_evaluates_twenty(server: Server, new_client: Callable[..., Client]) -> None:
    sprayer = new_client()
    answers = stream(partial(sprayer.login, Person(new_email())) for _ in range(29))
    assert codes(answers) == {"invalid_credentials": ACCOUNTS, "rate_limited": 9}
    assert len(events(server, type="login.password", ip=sprayer.address)) == ACCOUNTS


def test_spraying_is_one_source_in_a_64_network(new_client: Callable[..., Client]) -> None:
    for number in range(ACCOUNTS):
        neighbour = new_client(f"3fff:fff:5:{id(new_client) % 65535:x}::{number:x}")
        assert code_of(neighbour.login(Person(new_email()))) == "invalid_credentials"
    last = new_client(f"3fff:fff:5:{id(new_client) % 65535:x}:ffff::1")
    assert code_of(last.login(Person(new_email()))) == "rate_limited"
