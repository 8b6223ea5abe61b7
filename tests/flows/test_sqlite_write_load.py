"""SQLite under write load: several worker processes, the background worker and commands write at once, and all wait."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address, scaled
from tests.server import Server, running_server

# Writes matter here, not hashes: what the hash costs less, the database gets more.
LOAD = {
    "SERVER_WORKERS": "4",
    "ARGON2_MEMORY_KIB": "64",
    "ARGON2_TIME_COST": "1",
    "LIMIT_REFRESH": "100000/60",
}
WRITERS = 8


def write(server: Server, address: str, person: Person, start: threading.Barrier) -> Counter[str]:
    """One client's logins, refusals, refreshes and resets: each writes rows, limits and events."""
    client, seen = Client(server, address), Counter[str]()

    def note(name: str, status: int) -> None:
        seen[f"{name} {status}"] += 1

    start.wait()
    for number in range(scaled(4, 60)):
        partial_token = expect(client.login(person), 200)["partial_token"]
        note("verify", client.verify(partial_token, "abcdef").status_code)
        note("unknown", client.login(Person(new_email())).status_code)
        for _ in range(3):
            person.keep(expect(client.refresh(person.refresh), 200))
        note("me", client.me(person.access).status_code)
        if number % 3 == 0:
            note("reset", client.post("password/reset/", {"email": person.email}).status_code)
        if number % 4 == 3:
            client.close()
            client = Client(server, new_address())
    client.close()
    return seen


def test_several_processes_write_without_database_is_locked(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, environment=LOAD) as server:
        people, start = [], threading.Barrier(WRITERS + 1)
        for _ in range(WRITERS):
            client = Client(server, new_address())
            people.append(client.sign_up())
            client.close()
        with ThreadPoolExecutor(WRITERS) as pool:
            runs = [pool.submit(partial(write, server, new_address(), person, start)) for person in people]
            start.wait()
            for _ in range(2):
                server.create_user(new_email("command"), "correct horse battery staple 42")
            seen = sum((run.result() for run in runs), Counter[str]())
        assert {name.rpartition(" ")[2] for name in seen} <= {"200", "202", "401", "429"}, seen
        assert seen["me 200"] == WRITERS * scaled(4, 60)
        log = server.logs()
        assert "is locked" not in log  # "database is locked", "database table is locked"
        assert "store.unavailable" not in log
        assert server.rows("PRAGMA integrity_check") == [("ok",)]
        assert server.rows("PRAGMA journal_mode") == [("wal",)]
