"""A session stays one row however often it is refreshed; only the audit log grows."""

import re
from collections.abc import Iterator

import pytest

from tests.client import Client, expect
from tests.conftest import new_address, scaled
from tests.server import BACKENDS, Server, running_server

REFRESHES = scaled(150, 1000)
LOG = {"audit_event", "audit_personaldata", "audit_pending"}  # no worker integrates
GENEROUS = {"LIMIT_REFRESH": "100000/60", "LIMIT_REQUESTS": "100000/60"}
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'",
    "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


@pytest.fixture(params=BACKENDS[:2])
def lenient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("rows")
    with running_server(request.param, directory, nodes=0, environment=GENEROUS) as server:
        server.start_node("--no-worker")
        yield server


def count_rows(server: Server) -> dict[str, int]:
    """How many rows each table holds."""
    names = [str(row[0]) for row in server.rows(TABLES[server.backend])]
    assert all(re.fullmatch(r"\w+", name) for name in names)
    return {name: int(server.rows(f'SELECT count(*) FROM "{name}"')[0][0]) for name in names}


def test_session_is_one_row_after_many_refreshes(lenient: Server) -> None:
    client = Client(lenient, new_address())
    person = client.create_person()
    person.keep(expect(client.refresh(person.refresh), 200))  # the limiter's buckets exist from here on
    before = count_rows(lenient)
    for _ in range(REFRESHES):
        person.keep(expect(client.refresh(person.refresh), 200))
    after = count_rows(lenient)
    client.close()
    grown = {name: rows - before[name] for name, rows in after.items() if rows != before[name]}
    assert grown == dict.fromkeys(LOG, REFRESHES)
    assert after["secure_auth_session"] == 1
    generations = lenient.rows("SELECT generation FROM secure_auth_session")
    assert generations == [(REFRESHES + 1,)]
