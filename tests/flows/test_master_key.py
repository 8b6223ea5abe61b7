"""The master key is changed under people who are signed in: no ring is lost, and the old key opens nothing."""

import base64
import secrets
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.attacks.evidence import events
from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.house.schema import operations
from tests.server import Server, ServerFailed, running_server


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def start_with(server: Server, **environment: str) -> None:
    for node in server.nodes:
        node.stop()
    server.nodes.clear()
    for name in ("MASTER_KEY", "MASTER_KEY_PREVIOUS"):
        server.environment.pop(name, None)
    server.environment.update(environment)
    server.start_node("--no-worker")


def seal_anew(server: Server, new: str, old: str) -> str:
    return server.manage("rotate_keys", "--master", MASTER_KEY=new, MASTER_KEY_PREVIOUS=old).stdout.strip()


def use(server: Server, person: Person) -> None:
    """What each ring is for: a token and its digest, a secret that was sealed, a device's digest."""
    with closing(Client(server, new_address())) as client:
        person.keep(expect(client.refresh(person.refresh), 200))
        client.sign_in(person, remember_device=True)
        expect(client.me(person.access), 200)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_rings_are_sealed_anew_and_nobody_is_signed_out(backend: str, tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    environment = {"MASTER_KEY": old}
    with running_server(backend, tmp_path, worker=False, environment=environment) as server:
        with closing(Client(server, new_address())) as client:
            person = client.create_person()
        start_with(server, MASTER_KEY=new, MASTER_KEY_PREVIOUS=old)  # nodes first: the command only seals
        use(server, person)
        told = seal_anew(server, new, old)
        count = len(server.rows("SELECT 1 FROM secure_auth_key WHERE state <> 'gone'"))
        assert told == f"master key: {count} keys sealed anew"
        assert seal_anew(server, new, old) == "master key: the present one seals every key already"
        (rotated,) = [one for one in events(server, type="key.rotate") if one.details["purpose"] == "master"]
        assert rotated.details["secrets"] == count
        assert new not in server.logs()
        assert old not in server.logs()
        start_with(server, MASTER_KEY=new)
        use(server, person)
        with pytest.raises(ServerFailed, match="does not open the key rings"):
            start_with(server, MASTER_KEY=old)


def test_node_that_was_left_with_the_old_key_is_not_ready(tmp_path: Path) -> None:
    """Whoever balances load must not go on sending people to it: it can judge no token and sign none."""
    old, new = new_key(), new_key()
    environment = {"MASTER_KEY": old, "KEY_CACHE_SECONDS": "1"}
    with running_server("sqlite", tmp_path, worker=False, environment=environment) as server:
        with closing(Client(server, new_address())) as client:
            assert seal_anew(server, new, old).endswith("sealed anew")
            time.sleep(1.5)
            answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"] == {"database": "ok", "keys": "closed"}
        told = operations()["GET", "/readyz"]["responses"]["503"]["content"]["application/json"]["schema"]
        assert answer.json()["checks"].keys() <= told["properties"]["checks"]["properties"].keys()
        start_with(server, MASTER_KEY=new)  # waits until it is ready


def test_a_ring_of_neither_key_is_left_as_it_is(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    with running_server("sqlite", tmp_path, worker=False, environment={"MASTER_KEY": old}) as server:
        before = server.rows("SELECT kid, sealed FROM secure_auth_key ORDER BY kid")
        done = server.manage(
            "rotate_keys", "--master", check=False, MASTER_KEY=new, MASTER_KEY_PREVIOUS=new_key()
        )
        assert done.returncode != 0
        assert "does not open the key rings" in done.stderr
        assert server.rows("SELECT kid, sealed FROM secure_auth_key ORDER BY kid") == before
        together = server.manage("rotate_keys", "--master", "--purpose", "audit", check=False)
        assert "not allowed with" in together.stderr
