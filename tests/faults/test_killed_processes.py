"""Servers and the background worker are killed with SIGKILL at random moments under load: the log stays true.

Afterwards no action is without its event and no event without its action, whatever a client was answered is there,
every event has one entry, and the tree is the one that the head speaks of.
"""

import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.client import Client, Person
from tests.conftest import new_address, scaled
from tests.faults.family import background_workers, web_workers
from tests.faults.reckoning import Reckoning
from tests.logs import entries_of, head_of, recomputed_root, wait_for_entries
from tests.redis_processes import wait_until
from tests.server import Server, running_server

SEED = 20_260_801
CHEAP = {"ARGON2_MEMORY_KIB": "8", "ARGON2_TIME_COST": "1", "LIMIT_REQUESTS": "100000/60"}
PEOPLE = 3
LOST = (
    httpx.TransportError,
    AssertionError,
    KeyError,
    IndexError,
)  # an answer that did not come, or a refusal


class Life:
    """What one person does again and again, and what of it was answered."""

    def __init__(self, server: Server, person: Person, stop: threading.Event) -> None:
        self.server, self.person, self.stop = server, person, stop
        self.answered: list[str] = []
        self.random = random.Random(person.email)

    def live(self) -> None:
        while not self.stop.is_set():
            client = Client(self.server, new_address())
            try:
                self._day(client)
            except LOST:
                self.stop.wait(0.05)
            finally:
                client.close()

    def _day(self, client: Client) -> None:
        client.login(self.person, "a wrong passphrase")
        partial = client.login(self.person).json()["partial_token"]
        answer = client.verify(partial, *self._factor(), remember_device=True)
        self.person.keep(answer.json())
        self.answered.append(answer.json()["session_id"])
        for _ in range(self.random.randrange(1, 6)):
            self.person.keep(client.refresh(self.person.refresh).json())
        leave: list[Callable[[], object]] = [
            lambda: client.post("logout/", token=self.person.access),
            lambda: client.delete("sessions/", self.person.access),
            lambda: client.refresh(self.person.refresh),
        ]
        self.random.choice(leave)()

    def _factor(self) -> tuple[str, str]:
        """Recovery codes: they need no waiting for the next time step. Then the authenticator's."""
        if self.person.recovery_codes:
            return self.person.recovery_codes.pop(), "recovery_code"
        return self.person.code(), "totp"


def newcomers(server: Server, stop: threading.Event) -> None:
    """Registrations: what they need of the worker is a mail."""
    while not stop.is_set():
        client = Client(server, new_address())
        try:
            client.sign_up()
        except LOST:
            stop.wait(0.05)
        finally:
            client.close()


def kill_some(server: Server, count: int, seeded: random.Random) -> int:
    """Kill so many processes, one after the other; how many of them were the background worker."""
    node, background = server.nodes[0], 0
    for _ in range(count):
        threading.Event().wait(seeded.uniform(0.1, 0.9))
        workers = background_workers(node)
        wait_until(lambda: web_workers(node), 30)
        victims = workers if workers and seeded.random() < 0.4 else web_workers(node)
        if victims:
            os.kill(seeded.choice(victims), signal.SIGKILL)
            background += victims == workers
    return background


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_killed_anywhere_the_log_and_the_tables_agree(backend: str, tmp_path: Path) -> None:
    stop = threading.Event()
    with running_server(backend, tmp_path, environment=CHEAP) as server:
        client = Client(server, new_address())
        lives = [Life(server, client.create_person(), stop) for _ in range(PEOPLE)]
        client.close()
        with ThreadPoolExecutor(PEOPLE + 1) as pool:
            running = [pool.submit(life.live) for life in lives] + [pool.submit(newcomers, server, stop)]
            try:
                background = kill_some(server, scaled(10, 150), random.Random(SEED))
            finally:
                stop.set()
            for each in running:
                each.result()
        server.stop()
        server.nodes.clear()
        server.start_node()

        wait_for_entries(server)
        assert background
        assert Reckoning(server).differences() == {}
        answered = {session for life in lives for session in life.answered}
        assert len(answered) >= scaled(3, 30)  # ten recovery codes each, then a code every 30 seconds
        assert answered <= {row[0] for row in server.rows("SELECT id FROM secure_auth_session")}
        events = {row[0] for row in server.rows("SELECT id FROM audit_event")}
        assert {event for event, _ in entries_of(server)} == events
        assert recomputed_root(server) == head_of(server)
        assert server.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
