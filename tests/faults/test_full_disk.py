"""The database takes no writing: nothing is decided, /readyz says so, and it is over when there is room."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from secure_auth.postgresql import room
from tests import services
from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.processes import descendants
from tests.redis_processes import wait_until
from tests.server import Server, running_server

# What PostgreSQL does where a temporary file finds no room.
FULL = """
CREATE SCHEMA full_disk;
CREATE FUNCTION full_disk.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE plpgsql AS
$$ BEGIN RAISE 'could not write to file: No space left on device' USING ERRCODE = 'disk_full'; END $$"""
PATHS = ("full_disk, pg_catalog, public", "public")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    with running_server("sqlite", tmp_path) as server:
        yield server


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    with closing(Client(service, new_address())) as client:
        yield client


def set_room(server: Server, size: int) -> None:
    """As a disk: no file of the service's grows beyond."""
    for pid in descendants(server.nodes[0].process.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def is_ready(client: Client) -> bool:
    answer = client.get("/readyz")
    assert answer.json()["checks"]["database"] == ("ok" if answer.status_code == 200 else "away")
    return answer.status_code == 200


def test_full_disk_is_told_as_a_database_that_is_away(service: Server, client: Client) -> None:
    person = Person(new_email())
    service.create_user(person.email, person.password)
    assert is_ready(client)
    set_room(service, 4096)
    refused = client.login(person)
    assert (refused.status_code, code_of(refused)) == (503, "service_unavailable")
    wait_until(lambda: not is_ready(client), 5)
    set_room(service, resource.RLIM_INFINITY)
    wait_until(lambda: is_ready(client), 5)
    expect(client.login(person), 200)
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    assert service.rows("SELECT count(*) FROM secure_auth_lease") == [(0,)]


def test_file_that_was_removed_under_the_service_is_told(service: Server, client: Client) -> None:
    """What it has open still answers, and nobody will find what is written there."""
    (service.data_dir / "secure_auth.sqlite3").unlink()
    wait_until(lambda: not is_ready(client), 5)


def test_file_that_another_took_the_place_of_is_told(service: Server, client: Client) -> None:
    """Such as a backup that was moved there while the service runs."""
    file, copy = service.data_dir / "secure_auth.sqlite3", service.data_dir / "copy"
    assert is_ready(client)
    with closing(sqlite3.connect(file)) as live, closing(sqlite3.connect(copy)) as kept:
        live.backup(kept)
    for name in ("secure_auth.sqlite3-wal", "secure_auth.sqlite3-shm"):
        (service.data_dir / name).unlink(missing_ok=True)
    copy.replace(file)
    wait_until(lambda: not is_ready(client), 5)


def test_writer_that_takes_long_is_no_database_that_is_away(service: Server, client: Client) -> None:
    with closing(sqlite3.connect(service.data_dir / "secure_auth.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [is_ready(client) for _ in range(3)] == [True] * 3
        other.execute("ROLLBACK")


def test_full_disk_of_postgresql_is_told_too(tmp_path: Path) -> None:
    with running_server("postgres", tmp_path) as server, closing(Client(server, new_address())) as client:
        name = urlsplit(server.environment["DATABASE_URL"]).path[1:]
        assert is_ready(client)
        server.rows(FULL)
        for path, ready in zip(PATHS, (False, True), strict=True):
            services.execute(f"ALTER DATABASE {name} SET search_path = {path}")
            services.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            wait_until(lambda: is_ready(client) is ready, 10)  # noqa: B023 done before the next


def test_what_is_asked_of_postgresql_goes_to_the_disk() -> None:
    with psycopg.connect(services.postgres_url()) as connection:
        connection.execute(room.MEMORY)
        plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS) {room.FILE}".encode()).fetchall()
    assert "temp read=6" in str(plan)
