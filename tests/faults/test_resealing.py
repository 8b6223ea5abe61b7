"""`rotate_keys --purpose encryption` while people sign in and bind authenticators, killed midway, and twice at once."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.attacks.evidence import events
from tests.bench.people import Account, create_accounts
from tests.client import Client, Person
from tests.conftest import new_address
from tests.dying import die_in
from tests.server import ROOT, Server, running_server

ROTATE = ("rotate_keys", "--purpose", "encryption")
SETTINGS = {"KEY_CACHE_SECONDS": "5", "LIMIT_REQUESTS": "100000/min"}
ROWS, CROWD = 2000, 6


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    """Four server processes on two nodes."""
    with running_server("postgres", tmp_path, nodes=2, worker=False, environment=SETTINGS) as running:
        yield running


def keys(service: Server, state: str) -> list[str]:
    """The encryption keys in this state."""
    statement = "SELECT kid FROM secure_auth_key WHERE purpose = 'encryption' AND state = %s"
    return [row[0] for row in service.rows(statement, [state])]


def let_age(service: Server) -> None:
    """As if the next keys had been known everywhere for long: the nodes have in fact read the ring since."""
    service.rows("UPDATE secure_auth_key SET created_at = '2020-01-01 00:00:00' WHERE state = 'next'")


def count(service: Server, kid: str) -> int:
    statement = "SELECT count(*) FROM mfa_totpauthenticator WHERE key_id = %s"
    return int(service.rows(statement, [kid])[0][0])


def operator(service: Server) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *ROTATE],
        cwd=ROOT,
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sealed_anew(told: str) -> int:
    return sum(map(int, re.findall(r"^(\d+) secrets? sealed anew$", told, re.MULTILINE)))


def sign_in(service: Server, account: Account, *, node: int = 0) -> tuple[Client, Person]:
    client = Client(service, new_address(), node=node)
    return client, client.sign_in(Person(account.email, authenticator=account.authenticator))


class Crowd:
    """People who sign in on all nodes, each once; every third binds a second authenticator and signs in with it."""

    def __init__(self, service: Server, accounts: list[Account]) -> None:
        self.service = service
        self.turns = iter(enumerate(accounts))
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.signed_in = 0
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self._come) for _ in range(CROWD)]

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _come(self) -> None:
        while not self.stop.is_set():
            with self.lock:
                turn, account = next(self.turns)
            try:
                client, person = sign_in(self.service, account, node=turn % len(self.service.nodes))
                if turn % 3 == 0:
                    client.enrol(person, person.access)
                    client.sign_in(person)
                client.close()
                with self.lock:
                    self.signed_in += 1
            except AssertionError as refusal:
                self.faults.append(str(refusal))


@pytest.mark.alone
def test_a_crowd_signs_in_while_everything_is_sealed_anew(service: Server) -> None:
    accounts = create_accounts(service, ROWS)
    (old,), (new,) = keys(service, "active"), keys(service, "next")
    let_age(service)
    with Crowd(service, accounts) as crowd:
        wait_for(lambda: crowd.signed_in >= CROWD)
        before = crowd.signed_in
        told = service.manage(*ROTATE).stdout
        after = crowd.signed_in
        wait_for(lambda: crowd.signed_in >= after + CROWD)
    assert crowd.faults == []
    assert after > before
    assert keys(service, "active") == [new]
    assert f"encryption: active {new}" in told
    assert f"{old} is gone" in told
    assert sealed_anew(told) >= ROWS
    assert count(service, new) == service.rows("SELECT count(*) FROM mfa_totpauthenticator")[0][0]
    assert service.rows("SELECT state, length(sealed) FROM secure_auth_key WHERE kid = %s", [old]) == [
        ("gone", 0)
    ]
    (rotated,) = events(service, type="key.rotate")
    assert rotated.details["secrets"] >= ROWS
    (destroyed,) = events(service, type="key.destroy")
    assert destroyed.details == {"key_id": old, "purpose": "encryption", "secrets": sealed_anew(told)}


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come so far"
        time.sleep(0.02)


def test_a_run_killed_midway_is_finished_by_two_at_once(service: Server) -> None:
    """Half of the rows are held by somebody, so that the first run is midway for as long as we like."""
    accounts = create_accounts(service, ROWS)
    (old,), (new,) = keys(service, "active"), keys(service, "next")
    let_age(service)
    with psycopg.connect(service.environment["DATABASE_URL"]) as holder:
        half = b"SELECT id FROM mfa_totpauthenticator ORDER BY id LIMIT %s FOR UPDATE"
        held = len(holder.execute(half, [ROWS // 2]).fetchall())
        with operator(service) as run:
            wait_for(lambda: count(service, new) == ROWS - held)
            run.send_signal(signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL
    assert (count(service, old), count(service, new)) == (held, ROWS - held)
    assert keys(service, "retired") == [old]
    for account in (accounts[0], accounts[-1]):
        for node in range(len(service.nodes)):
            client, _ = sign_in(service, account, node=node)
            client.close()
    operators = [operator(service) for _ in range(2)]
    ended = [(one.communicate(timeout=60), one.returncode) for one in operators]
    told = "".join(output for (output, _), status in ended if status == 0)
    for (_, complaint), status in ended:  # who came when all was done may not rotate again yet
        assert status == 0 or "too young" in complaint, complaint
    assert sealed_anew(told) == held
    assert told.count(f"{old} is gone") == 1
    assert (count(service, old), count(service, new)) == (0, ROWS)
    assert (keys(service, "gone"), keys(service, "active")) == ([old], [new])
    client, _ = sign_in(service, accounts[1])
    client.close()


def test_a_run_killed_before_the_old_key_is_gone_is_finished_by_the_next(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path, worker=False, environment=SETTINGS) as service:
        accounts = create_accounts(service, 250)
        (old,) = keys(service, "active")
        let_age(service)
        die_in(service, "secure_auth.rings.destroy", *ROTATE)
        assert (count(service, old), keys(service, "retired")) == (0, [old])
        client, _ = sign_in(service, accounts[0])
        told = service.manage(*ROTATE).stdout.splitlines()
        assert told == [
            "encryption: an earlier rotation is finished",
            "0 secrets sealed anew",
            f"{old} is gone",
        ]
        assert "too young" in service.manage(*ROTATE, check=False).stderr
        client.close()
