"""A process is short of memory, of descriptors or of time: nobody's password is called wrong, and it gets over it."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.faults.family import web_workers
from tests.server import Server, running_server

DEAR = {
    "ARGON2_MEMORY_KIB": "65536",
    "ARGON2_TIME_COST": "1",
}  # never kept by the allocator from one hash to the next
STOOD_STILL = """
import time
from django.db import OperationalError, connection, transaction
try:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 20")
        time.sleep(0.5)
        cursor.execute("SELECT 1")
except OperationalError:
    print("away")
with connection.cursor() as cursor:
    cursor.execute("SELECT 1")
    print("back")
"""


@contextmanager
def one_worker(directory: Path, **environment: str) -> Iterator[tuple[Server, Client, Person]]:
    """A service of one web process, and somebody who has a connection to it."""
    environment["SERVER_WORKERS"] = "1"
    with (
        running_server("sqlite", directory, worker=False, environment=environment) as server,
        closing(Client(server, new_address())) as client,
    ):
        person = Person(new_email())
        server.create_user(person.email, person.password)
        expect(client.login(person), 200)
        yield server, client, person


@contextmanager
def at_most(server: Server, limit: int, amount: int) -> Iterator[None]:
    """The web process may have so much of something, and afterwards what it might before."""
    (worker,) = web_workers(server.nodes[0])
    soft, hard = resource.prlimit(worker, limit)
    resource.prlimit(worker, limit, (amount, hard))
    try:
        yield
    finally:
        resource.prlimit(worker, limit, (soft, hard))


def test_password_that_no_memory_was_there_for_is_not_wrong(tmp_path: Path) -> None:
    with one_worker(tmp_path, **DEAR) as (server, client, person):
        (worker,) = web_workers(server.nodes[0])
        pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
        with at_most(server, resource.RLIMIT_AS, pages * resource.getpagesize() + 4 * 1024 * 1024):
            for _ in range(6):  # one more than begin a lock
                refused = client.login(person)
                assert (refused.status_code, code_of(refused)) == (503, "service_unavailable")
                assert refused.headers["Retry-After"]
        expect(client.login(person), 200)
        assert server.rows("SELECT count(*) FROM audit_event WHERE reason = 'wrong_password'") == [(0,)]


def test_process_without_descriptors_refuses_for_as_long_as_it_has_none(tmp_path: Path) -> None:
    """The first line of a refusal needed a module of Python's: one that was not found then was missing for ever."""
    with one_worker(tmp_path) as (server, client, person):
        (worker,) = web_workers(server.nodes[0])
        with at_most(server, resource.RLIMIT_NOFILE, len([*Path(f"/proc/{worker}/fd").iterdir()])):
            for _ in range(6):
                assert client.login(person).status_code >= 500
        assert code_of(client.login(person, "a wrong passphrase")) == "invalid_credentials"
        expect(client.login(person), 200)


@pytest.mark.postgres
def test_transaction_that_stood_still_too_long_for_its_server_is_one_of_a_database_that_is_away(
    tmp_path: Path,
) -> None:
    with running_server("postgres", tmp_path, worker=False) as server:
        told = server.manage("shell", "--no-imports", "-c", STOOD_STILL)
    assert told.stdout.split() == ["away", "back"]
