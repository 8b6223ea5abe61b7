"""The drill for a compromised signing key is killed before it has ended a session, and run again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.evidence import claims, events, live_sessions
from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.dying import die_in
from tests.server import TESTED_BACKENDS, Server, running_server

ACTIVE = "SELECT kid FROM secure_auth_key WHERE purpose = 'signing' AND state = 'active'"


@pytest.fixture
def cache_seconds() -> int:
    """As long as the nodes may hold the dead key."""
    return 30


@pytest.fixture(params=TESTED_BACKENDS)
def unled(request: pytest.FixtureRequest, tmp_path: Path, cache_seconds: int) -> Iterator[Server]:
    environment = {"KEY_CACHE_SECONDS": str(cache_seconds)}
    with running_server(request.param, tmp_path, worker=False, environment=environment) as server:
        yield server


@pytest.fixture
def client(unled: Server) -> Iterator[Client]:
    client = Client(unled, new_address())
    yield client
    client.close()


def test_killed_drill_leaves_sessions_and_logins_whose_tokens_open_and_end_nothing(
    unled: Server, client: Client
) -> None:
    person = client.create_person()
    user, partial = claims(person.access)["sub"], expect(client.login(person), 200)["partial_token"]
    ((kid,),) = unled.rows(ACTIVE)
    die_in(unled, "secure_auth.rings._end", "rotate_keys", f"--compromised={kid}")
    # The last doors let a node know that the key is dead; at the others it still holds it.
    assert code_of(client.verify(partial, person.recovery_codes[0], "recovery_code")) == "invalid_token"
    expect(client.post("token/revoke/", {"token": partial}), 200)
    assert [code_of(client.refresh(person.refresh)) for _ in range(2)] == ["invalid_token"] * 2
    assert code_of(client.me(person.access)) == "invalid_token"
    for token in (person.access, person.refresh):
        expect(client.post("token/revoke/", {"token": token}), 200)
    assert live_sessions(unled, user) == {person.session_id}
    assert events(unled, type="token.reuse") == []
    assert unled.rows("SELECT id FROM secure_auth_pendinglogin WHERE ended_at IS NULL") != []


@pytest.mark.parametrize("cache_seconds", [1])
def test_killed_drill_is_finished_by_the_next(unled: Server, client: Client, cache_seconds: int) -> None:
    """Who signs in again meanwhile stays signed in."""
    person = client.create_person()
    ((kid,),) = unled.rows(ACTIVE)
    drill = ("rotate_keys", f"--compromised={kid}")
    die_in(unled, "secure_auth.rings._end", *drill)
    time.sleep(cache_seconds + 0.5)  # until every worker has read the ring again
    again = client.create_person()
    ((active,),) = unled.rows(ACTIVE)
    assert f"{kid} is gone, 1 session ended\nsigning: active {active}, next " in unled.manage(*drill).stdout
    assert live_sessions(unled, claims(person.access)["sub"]) == set()
    assert live_sessions(unled, claims(again.access)["sub"]) == {again.session_id}
    ended = [(one.session, one.reason) for one in events(unled, type="session.revoke")]
    assert ended == [(person.session_id, "key_compromised")]
    assert len(events(unled, type="key.destroy")) == 1
    assert "no live signing key has this id" in unled.manage(*drill, check=False).stderr
