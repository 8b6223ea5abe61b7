"""Somebody who writes to the tables gives their own authenticator to another account, or puts an old secret back.

Attacker: writes to the database, has an account and the victim's password, not the master key. Move: the own sealed
secret in the victim's row; the own row moved to the victim; the sealed secret of before a rotation; altered bytes.
Refusal: a sealed secret opens in its own row of its own owner only, and not after its key is gone: the code is wrong.
Nothing else of the account is touched by it, and a rotation says that somebody wrote there.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, expect
from tests.problems import problem
from tests.server import Server, running_server

AGE = "UPDATE secure_auth_key SET created_at = '2020-01-01 00:00:00' WHERE state = 'next'"
ROTATE = ("rotate_keys", "--purpose", "encryption")


def user_of(person: Person) -> str:
    return str(claims(person.access)["sub"])


def sealed(server: Server, person: Person) -> tuple[str, bytes]:
    """The key id and the sealed secret of a person's one row."""
    statement = "SELECT key_id, sealed_secret FROM mfa_totpauthenticator WHERE user_id = %s"
    ((kid, secret),) = server.rows(statement, [user_of(person)])
    return kid, bytes(secret)


def put(server: Server, person: Person, kid: str, secret: bytes) -> None:
    statement = "UPDATE mfa_totpauthenticator SET key_id = %s, sealed_secret = %s WHERE user_id = %s"
    server.rows(statement, [kid, secret, user_of(person)])


def expect_refusal(client: Client, victim: Person, code: str) -> None:
    """The code opens neither door; a recovery code does."""
    partial = expect(client.login(victim), 200)["partial_token"]
    problem(client.verify(partial, code), "invalid_code")
    fresh = expect(client.verify(partial, victim.recovery_codes.pop(), "recovery_code"), 200)["access"]
    problem(client.post("reauthenticate/", {"method": "totp", "code": code}, fresh), "invalid_code")


@pytest.mark.usefixtures("no_traceback")
def test_sealed_secret_in_another_accounts_row_opens_nothing(server: Server, client: Client) -> None:
    mallory, victim = client.create_person(), client.create_person()
    put(server, victim, *sealed(server, mallory))
    expect_refusal(client, victim, mallory.code())


@pytest.mark.usefixtures("no_traceback")
def test_row_moved_to_another_account_opens_nothing(server: Server, client: Client) -> None:
    mallory, victim = client.create_person(), client.create_person()
    moved = [user_of(victim), user_of(mallory)]
    server.rows("UPDATE mfa_totpauthenticator SET user_id = %s WHERE user_id = %s", moved)
    expect_refusal(client, victim, mallory.code())
    client.sign_in(victim)


@pytest.mark.usefixtures("no_traceback")
@pytest.mark.parametrize("secret", [b"", b"short", bytes(48)], ids=["empty", "short", "zeros"])
def test_altered_secret_opens_nothing(server: Server, client: Client, secret: bytes) -> None:
    victim = client.create_person()
    put(server, victim, sealed(server, victim)[0], secret)
    expect_refusal(client, victim, victim.code())


def test_sealed_secret_of_before_a_rotation_opens_nothing(
    tmp_path: Path, visit: Callable[..., Client]
) -> None:
    """And a rotation does not choke on rows that somebody wrote: it does the others, and says which do not open."""
    environment = {"KEY_CACHE_SECONDS": "1"}
    with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
        client = visit(server)
        victim, other = client.create_person(), client.create_person()
        old, new = sealed(server, victim), None
        server.rows(AGE)
        server.manage(*ROTATE)
        new = sealed(server, victim)
        assert new[0] != old[0]
        assert server.rows("SELECT state FROM secure_auth_key WHERE kid = %s", [old[0]]) == [("gone",)]
        put(server, victim, *old)
        time.sleep(1.1)  # until each process has read the rings again
        expect_refusal(client, victim, victim.code())

        put(server, victim, *sealed(server, other))
        server.rows(AGE)
        done = server.manage(*ROTATE, check=False)
        assert done.returncode != 0
        assert f"sealed anew: 1; do not open: 1 (of {victim.email})" in done.stderr
        assert sealed(server, other)[0] not in (old[0], new[0])
        client.sign_in(other)
        (told,) = events(server, type="key.rotate", outcome="failure")
        assert (told.reason, told.severity) == ("unreadable", "high")
        assert told.details == {"key_id": new[0], "purpose": "encryption", "secrets": 1}
        put(server, victim, *new)  # the victim's own, under a key that is kept for what does not open
        assert f"{new[0]} is gone" in server.manage(*ROTATE).stdout
        client.sign_in(victim)
