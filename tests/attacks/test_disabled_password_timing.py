"""Somebody measures whether a password is that of a disabled account.

Attacker: has a guess, from a leak, and a clock. Move: logs in; a right password whose hash is of older settings, or was
imported, is hashed anew, which takes longer. Refusal: who is refused in any case gets no new hash.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.client import Client, Person, new_email
from tests.server import running_server

FOREIGN = "UPDATE secure_auth_user SET password = %s WHERE email = %s"


@pytest.mark.alone
@pytest.mark.parametrize("kept", ["as argon2 of older settings", "as it was imported"])
def test_right_password_of_a_disabled_account_takes_the_time_of_a_wrong_one(
    tmp_path: Path, kept: str, visit: Callable[..., Client]
) -> None:
    """The least of many times, alternately: what the hash takes, which nobody's luck shortens."""
    person = Person(new_email())
    with running_server("sqlite", tmp_path, worker=False, hashes_cheaply=False) as server:
        server.create_user(person.email, person.password)
        server.manage("disable", person.email)
        if "imported" in kept:
            foreign = PBKDF2PasswordHasher().encode(person.password, "a salt of somebody", 20_000)
            server.rows(FOREIGN, [foreign, person.email])
    with running_server(
        "sqlite", tmp_path, worker=False, environment={"ARGON2_TIME_COST": "8"}, hashes_cheaply=False
    ) as server:
        times: dict[str, list[float]] = {person.password: [], "a wrong passphrase": []}
        for _ in range(8):
            client = visit(server)
            for password, taken in times.items():
                answer = client.login(person, password)
                assert answer.status_code == 401
                taken.append(answer.elapsed.total_seconds())
    least = [min(taken) for taken in times.values()]
    assert max(least) < 1.5 * min(least), least
