"""A patient guesser waits for each lock to end, or knocks during it to keep the owner out.

Attacker: knows an address, has time. Move: five wrong passwords, wait, again; or attempts all through the lock.
Refusal: locks of 15 minutes that double up to 24 hours; attempts during a lock neither count nor renew it; only a
completed login takes the doubling back.
"""

import time
from collections.abc import Callable

from tests.attacks.evidence import bucket, change_bucket, events
from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server

PURPOSE = "password_account_source"
FIRST_SECONDS = 900
MOST_SECONDS = 86400


def spend(attacker: Client, victim: Person) -> int:
    """Five wrong passwords; how long the lock then is, in whole seconds."""
    for _ in range(5):
        assert code_of(attacker.login(victim, "wrong")) == "invalid_credentials"
    refused = attacker.login(victim)
    assert code_of(refused) == "temporarily_locked"
    return int(refused.headers["Retry-After"])


def let_the_lock_end(server: Server, attacker: Client) -> None:
    change_bucket(server, PURPOSE, attacker.address, locked=int(time.time() * 1000) - 1000)


def test_each_lock_is_twice_as_long_as_the_one_before(
    server: Server, new_client: Callable[..., Client]
) -> None:
    victim, attacker = Person(new_email()), new_client()
    for level in range(1, 5):
        longest = FIRST_SECONDS * 2 ** (level - 1)
        assert longest // 2 < spend(attacker, victim) <= longest
        let_the_lock_end(server, attacker)
    levels = [event.details["level"] for event in events(server, type="account.lock", ip=attacker.address)]
    assert levels == [1, 2, 3, 4]


def test_lock_never_exceeds_a_day(server: Server, new_client: Callable[..., Client]) -> None:
    victim, attacker = Person(new_email()), new_client()
    spend(attacker, victim)
    change_bucket(server, PURPOSE, attacker.address, locked=int(time.time() * 1000) - 1000, level=40)
    assert MOST_SECONDS // 2 < spend(attacker, victim) <= MOST_SECONDS


def test_attempts_during_a_lock_do_not_renew_it(server: Server, new_client: Callable[..., Client]) -> None:
    victim, attacker = Person(new_email()), new_client()
    waits = [spend(attacker, victim)]
    before = bucket(server, PURPOSE, attacker.address)
    for _ in range(8):
        refused = attacker.login(victim, "wrong")
        assert code_of(refused) == "temporarily_locked"
        waits.append(int(refused.headers["Retry-After"]))
    assert bucket(server, PURPOSE, attacker.address) == before
    assert waits == sorted(waits, reverse=True)


def test_completed_login_takes_the_doubling_back(server: Server, new_client: Callable[..., Client]) -> None:
    owner = new_client()
    person = owner.sign_up()
    spend(owner, person)
    let_the_lock_end(server, owner)
    partial = expect(owner.login(person), 200)["partial_token"]
    assert bucket(server, PURPOSE, owner.address)["level"] == 1, "a right password alone clears nothing"
    expect(owner.verify(partial, person.recovery_codes[0], "recovery_code"), 200)
    assert FIRST_SECONDS // 2 < spend(owner, person) <= FIRST_SECONDS
