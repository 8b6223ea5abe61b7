"""The embedded database's file holds pages that are none: nothing is decided, and it is over when the file is whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import Server, running_server

PAGE_BYTES = 4096


def write_over(path: Path, pages: bytes) -> None:
    with path.open("r+b") as file:
        file.write(pages)


def wait_until_idle(server: Server) -> None:
    """All is in the file, and nobody writes: what is put back is whole."""
    with closing(sqlite3.connect(server.data_dir / "secure_auth.sqlite3")) as database:
        wait_until(lambda: database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0))


def test_file_with_garbage_in_it_is_a_database_that_is_away(tmp_path: Path) -> None:
    one = {"SERVER_WORKERS": "1"}
    with (
        running_server("sqlite", tmp_path, worker=False, environment=one) as server,
        closing(Client(server, new_address())) as client,
    ):
        person = Person(new_email())
        server.create_user(person.email, person.password)
        expect(client.login(person), 200)
        wait_until_idle(server)
        path = server.data_dir / "secure_auth.sqlite3"
        whole = path.read_bytes()
        write_over(path, b"\xff" * (len(whole) // PAGE_BYTES * PAGE_BYTES))
        for _ in range(6):  # one more than begin a lock
            refused = client.login(person)
            assert (refused.status_code, code_of(refused)) == (503, "service_unavailable")
        assert client.get("/sign-in/").status_code == 503
        wait_until(lambda: client.get("/readyz").status_code == 503)

        write_over(path, whole)
        wait_until(lambda: client.get("/readyz").status_code == 200)
        wait_until(lambda: client.login(person).status_code == 200)
        assert "Internal Server Error" not in server.logs()
