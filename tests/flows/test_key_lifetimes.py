"""A retired signing key is destroyed when its last token is dead, by the lifetimes under which it signed."""

import time
from pathlib import Path

from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.server import Server, running_server

LONG_AGO = "2020-01-01 00:00:00+00:00"
LONG = {"SESSION_IDLE_SECONDS": "7200"}
SHORT = {"SESSION_IDLE_SECONDS": "600"}


def retire(server: Server, *, ago_seconds: int) -> str:
    """Rotate, and let the key that is retired by that have been for so long; its id."""
    ((kid,),) = server.rows("SELECT kid FROM secure_auth_key WHERE purpose = 'signing' AND state = 'active'")
    server.rows("UPDATE secure_auth_key SET created_at = %s WHERE state = 'next'", [LONG_AGO])
    server.manage("rotate_keys")
    retired = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(time.time() - ago_seconds))
    server.rows("UPDATE secure_auth_key SET retired_at = %s WHERE kid = %s", [retired, kid])
    return str(kid)


def states(server: Server) -> dict[str, str]:
    return {str(kid): str(state) for kid, state in server.rows("SELECT kid, state FROM secure_auth_key")}


def restart(server: Server, **environment: str) -> None:
    server.stop()
    server.nodes.clear()
    server.environment.update(environment)
    server.start_node()


def test_key_outlives_tokens_of_a_lifetime_that_was_set_lower_since(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, environment=LONG) as server:
        client = Client(server, new_address())
        person: Person = client.create_person()
        needed = retire(server, ago_seconds=3600)
        outlived = retire(server, ago_seconds=3600)
        server.rows("UPDATE secure_auth_key SET token_seconds = 600 WHERE kid = %s", [outlived])
        restart(server, **SHORT)
        deadline = time.monotonic() + 30
        while states(server)[outlived] != "gone":  # the background worker begins with that
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert states(server)[needed] == "retired"
        person.keep(expect(client.refresh(person.refresh), 200))
        client.close()


def test_key_takes_over_how_long_the_tokens_of_the_one_before_live(tmp_path: Path) -> None:
    """A rotation by a command that does not know the service's lifetimes."""
    with running_server("sqlite", tmp_path, nodes=0, environment=LONG) as server:
        server.manage("create_user", "no address", check=False)
        server.rows("UPDATE secure_auth_key SET created_at = %s WHERE state = 'next'", [LONG_AGO])
        server.manage("rotate_keys", SESSION_IDLE_SECONDS="600")
        found = server.rows(
            "SELECT state, token_seconds FROM secure_auth_key WHERE purpose = 'signing' ORDER BY created_at"
        )
        assert {str(state): int(seconds) for state, seconds in found} == {
            "retired": 7200, "active": 7200, "next": 7200,
        }  # fmt: skip
