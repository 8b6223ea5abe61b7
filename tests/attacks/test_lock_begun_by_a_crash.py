"""Guesses whose processes die before they are settled lock the account, and the log does not say so.

Attacker: guesses, and has the workers die (or they die by themselves), so that nobody is there to record the lock.
Expected: the next request at that door finds it, and the log has its `account.lock`, once, however many come at the
same time.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.attacks.evidence import events
from tests.attacks.volley import fire
from tests.client import Client, Person, code_of, expect
from tests.server import Server

FAR = 4_000_000_000_000  # milliseconds: a failure that stays
WINDOW_MS = 900_000


def crash(server: Server, purpose: str, owner: str, *, failures: int, ago_ms: int = 1) -> None:
    """What a bucket holds when a process died under an attempt, after so many failures."""
    now = int(time.time() * 1000)
    state = {
        "marks": {"-": [FAR, failures]} if failures < 9 else {"1": [now + WINDOW_MS, failures]},
        "flights": {"0123456789abcdef": [now - ago_ms, "-" if failures < 9 else ""]},
        "level": 0,
        "locked": 0,
    }
    changed = server.rows(
        "UPDATE throttling_bucket SET state = %s WHERE owner = %s AND purpose = %s RETURNING 1",
        [json.dumps(state), owner, purpose],
    )
    assert changed == [(1,)]


def owner_of(server: Server, purpose: str, key: str) -> str:
    ((owner,),) = server.rows(
        "SELECT owner FROM throttling_bucket WHERE purpose = %s AND key = %s", [purpose, key]
    )
    return str(owner)


def locks(server: Server, person: Person, client: Client) -> list[dict[str, Any]]:
    me = expect(client.me(person.access), 200)["id"]
    return [one.details for one in events(server, type="account.lock", user=me)]


def test_lock_of_the_password_is_recorded_once_by_those_who_find_it(
    server: Server, client: Client, new_client: Callable[..., Client]
) -> None:
    person = client.create_person()
    assert code_of(client.login(person, "wrong")) == "invalid_credentials"
    crash(
        server,
        "password_account_source",
        owner_of(server, "password_account_source", client.address),
        failures=4,
    )
    answers = fire([partial(client.login, person) for _ in range(6)])
    assert {code_of(answer) for answer in answers} == {"temporarily_locked"}
    (lock,) = locks(server, person, client)
    assert (lock["limit"], lock["level"]) == ("password_account_source", 1)
    assert lock["until"]
    expect(new_client().login(person), 200)


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_lock_that_is_over_is_recorded_by_the_next_attempt(
    server: Server, client: Client, right: bool
) -> None:
    person = client.create_person()
    assert code_of(client.login(person, "wrong")) == "invalid_credentials"
    owner = owner_of(server, "password_account_source", client.address)
    crash(server, "password_account_source", owner, failures=4, ago_ms=3_600_000)
    assert client.login(person, None if right else "wrong").status_code == (200 if right else 401)
    client.login(person)
    assert [lock["limit"] for lock in locks(server, person, client)] == ["password_account_source"]


def test_lock_of_the_second_step_ends_the_logins_under_way(server: Server, client: Client) -> None:
    person = client.create_person()
    partial_token = expect(client.login(person), 200)["partial_token"]
    other = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(partial_token, "000000")) == "invalid_code"
    me = expect(client.me(person.access), 200)["id"]
    crash(server, "totp_account", f"account:{me}", failures=9)
    assert code_of(client.verify(partial_token, person.code())) == "temporarily_locked"
    assert [(lock["limit"], lock.get("until")) for lock in locks(server, person, client)] == [
        ("totp_account", None)
    ]
    assert code_of(client.verify(other, person.recovery_codes[0], "recovery_code")) == "invalid_token"
    fresh = expect(client.login(person), 200)["partial_token"]
    person.keep(expect(client.verify(fresh, person.recovery_codes[0], "recovery_code"), 200))
    assert len(locks(server, person, client)) == 1
