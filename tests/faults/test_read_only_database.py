"""PostgreSQL answers but takes no writing: a standby was asked in the primary's place, or an operator closed it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import services
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import Server, running_server


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    with running_server("postgres", tmp_path) as server:
        yield server


def set_read_only(server: Server, value: str, *, ends_connections: bool = True) -> None:
    name = urlsplit(server.environment["DATABASE_URL"]).path[1:]
    services.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    if ends_connections:
        services.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


def test_database_that_takes_no_writing_is_away(service: Server) -> None:
    client, person = Client(service, new_address()), Person(new_email())
    service.create_user(person.email, person.password)
    set_read_only(service, "on")
    wait_until(lambda: client.get("/readyz").status_code == 503)
    refused = client.login(person)
    assert (refused.status_code, code_of(refused)) == (503, "service_unavailable")
    assert refused.headers["Retry-After"]
    assert client.get("/sign-in/").status_code == 503
    set_read_only(service, "off", ends_connections=False)  # as after a fail-over: those to the standby stand
    wait_until(lambda: client.get("/readyz").status_code == 200)
    expect(client.login(person), 200)
    assert "Traceback" not in service.logs()
    client.close()
