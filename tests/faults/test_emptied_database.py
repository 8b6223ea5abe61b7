"""The tables of PostgreSQL are gone for a while, or of other types, under a service that runs.

A backup is put back, a newer version migrates: nothing is decided meanwhile, no load balancer sends anybody, and no
restart is needed afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import Server, running_server

EMPTY = "ALTER SCHEMA public RENAME TO kept; CREATE SCHEMA public"
PUT_BACK = "DROP SCHEMA public; ALTER SCHEMA kept RENAME TO public"
OTHER_TYPE = "ALTER TABLE secure_auth_user ALTER COLUMN email TYPE varchar(500)"
QUICK = {"SERVER_WORKERS": "1", "KEY_CACHE_SECONDS": "1"}
OFTEN = 40  # more than psycopg sees a statement on each connection before it prepares that


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    with running_server("postgres", tmp_path, environment=QUICK) as server:
        yield server


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    with closing(Client(service, new_address())) as client:
        yield client


def test_database_without_its_tables_is_away(service: Server, client: Client) -> None:
    person = client.create_person()
    service.rows(EMPTY)
    asked: tuple[Callable[[], httpx.Response], ...] = (
        lambda: client.me(person.access),
        lambda: client.login(person),
        lambda: client.refresh(person.refresh),
    )
    for ask in asked:
        refused = ask()
        assert (refused.status_code, code_of(refused)) == (503, "service_unavailable")
        assert refused.headers["Retry-After"]
    assert client.get("/sign-in/").status_code == 503
    wait_until(lambda: client.get("/readyz").status_code == 503)
    assert client.get("/readyz").json()["checks"]["database"] == "away"

    service.rows(PUT_BACK)
    wait_until(lambda: client.get("/readyz").status_code == 200)
    expect(client.me(person.access), 200)
    expect(client.login(person), 200)
    assert "Internal Server Error" not in service.logs()
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")


def test_column_of_another_type_costs_a_retry_at_most(service: Server, client: Client) -> None:
    person = client.create_person()
    for _ in range(OFTEN):
        expect(client.me(person.access), 200)
    service.rows(OTHER_TYPE)
    assert client.me(person.access).status_code in (200, 503)
    wait_until(lambda: client.me(person.access).status_code == 200)
    expect(client.login(person), 200)
    assert "Internal Server Error" not in service.logs()
