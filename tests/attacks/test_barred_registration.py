"""Somebody wants an address never to have an account.

Attacker: anyone, from many networks. Move: a hundred wrong passwords at `login/` for an address without an account, so
that its password is closed before there is one. Refusal: the mailed token and the password of the registration are
judged on their own, and confirming opens what the guesses closed, as a mailed reset does.
"""

from collections.abc import Callable
from functools import partial

from tests.attacks.volley import fire
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address_v6, scaled
from tests.server import Server

NETWORKS, GUESSES = 20, 5


def test_guesses_at_an_address_keep_nobody_from_confirming_it(
    server: Server, new_client: Callable[..., Client]
) -> None:
    owner, person = new_client(), Person(new_email("awaited"))
    for _ in range(NETWORKS):
        stranger = new_client(new_address_v6())
        for number in range(GUESSES):
            assert code_of(stranger.login(person, f"wrong {number}")) == "invalid_credentials"
    assert code_of(new_client().login(person)) == "temporarily_locked"
    expect(owner.register(person), 202)
    token = owner.mailbox(person).wait_for_token()
    partial = expect(owner.confirm(token, person.password), 200)["partial_token"]
    owner.enrol(person, partial)
    owner.sign_in(person)


def test_guesses_from_the_same_source_do_not_stand_in_the_way(
    server: Server, new_client: Callable[..., Client]
) -> None:
    """Of an office: a confirmation and logins for its address would wait for each other's limits."""
    for _ in range(scaled(8, 40)):
        owner, person = new_client(), Person(new_email())
        expect(owner.register(person), 202)
        token = owner.mailbox(person).wait_for_token()
        guesses = [partial(new_client(owner.address).login, person, f"wrong {n}") for n in range(3)]
        confirmed, *_ = fire([partial(owner.confirm, token, person.password), *guesses])
        expect(confirmed, 200)


def test_password_of_a_registration_is_guessed_five_times_from_a_source(
    new_client: Callable[..., Client],
) -> None:
    """Who reads the mailbox and not the mind of who registered."""
    owner, person = new_client(), Person(new_email())
    expect(owner.register(person), 202)
    token = owner.mailbox(person).wait_for_token()
    thief = new_client()
    for number in range(GUESSES):
        assert code_of(thief.confirm(token, f"wrong {number}")) == "invalid_credentials"
    assert code_of(thief.confirm(token, person.password)) == "temporarily_locked"
    expect(owner.confirm(token, person.password), 200)
