"""Attacker: puts an older copy of the database back, so that what happened since is forgotten.

Move: restores a backup, or alters hashes as the owner of the tables. Expected refusal: the kept checkpoint is
contradicted; nothing is integrated or signed, the service says so, and only an openly begun successor log goes on.
"""

import contextlib
import json
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.redis_processes import wait_until
from tests.server import Server, running_server
from tests.snapshots import snapshot
from tests.tree import fetch_head, wait_for_proof

AUDITOR = new_email("auditor")
BEGUN = """SELECT l.origin, e.details FROM audit_log l
             JOIN audit_entry n ON n.log = l.id AND n."index" = 0 JOIN audit_event e ON e.id = n.event
            WHERE l.id = 2"""
UNSIGNED = """SELECT max(l.size) - max(c.size) FROM audit_log l JOIN audit_checkpoint c ON c.log = l.id
               WHERE l.ended_at IS NULL"""


@pytest.fixture(params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running_server(request.param, tmp_path) as server:
        yield server


def fail(client: Client, auditor: Person) -> str:
    """An event with a proof."""
    client.login(Person(new_email()), "a wrong phrase")
    query = {"ip": client.address, "type": "login.password", "outcome": "failure", "limit": 1}
    event = expect(client.get("audit/events/", auditor.access, params=query), 200)["results"][0]
    wait_for_proof(client, auditor, event["id"])
    return str(event["id"])


@contextlib.contextmanager
def restored(server: Server, copy: Path) -> Iterator[None]:
    """Take a copy, let something happen, stop the service, and put the copy back."""
    url = server.environment.get("DATABASE_URL")
    if url:
        name = url.rpartition("/")[2]
        backup = f"{name}_backup"
        server.stop()
        with psycopg.connect(url.replace(name, "postgres"), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {backup} TEMPLATE {name}".encode())
            start_again(server)
            yield
            server.stop()
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            admin.execute(f"ALTER DATABASE {backup} RENAME TO {name}".encode())
    else:
        path = server.data_dir / "secure_auth.sqlite3"
        with (
            contextlib.closing(sqlite3.connect(path)) as live,
            contextlib.closing(sqlite3.connect(copy)) as kept,
        ):
            live.backup(kept)
        yield
        server.stop()
        for each in server.data_dir.glob("secure_auth.sqlite3*"):
            each.unlink()
        shutil.copy(copy, path)
    start_again(server)


def start_again(server: Server) -> None:
    server.nodes.clear()
    server.start_node()


def wait_for_warning(client: Client) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for warning in client.get("/readyz").json()["warnings"]:
            if "audit log" in warning:
                return str(warning)
        time.sleep(0.2)
    raise AssertionError("/readyz warns of nothing")


def test_a_restored_database_is_found_and_only_a_successor_goes_on(service: Server, tmp_path: Path) -> None:
    client = Client(service, new_address())
    auditor = client.create_person(role="auditor", email=AUDITOR)
    fail(client, auditor)
    with restored(service, tmp_path / "copy.sqlite3"):
        auditor.access = sign_in_again(client, auditor)
        fail(client, auditor)
        forgotten = fetch_head(client, auditor)
    kept = (service.data_dir / "checkpoint").read_text()
    assert "entries, the log only" in wait_for_warning(client)
    auditor.access = sign_in_again(client, auditor)
    told = expect(client.get("audit/events/", auditor.access, params={"type": "log.inconsistent"}), 200)[
        "results"
    ]
    assert [(event["outcome"], event["severity"]) for event in told] == [("failure", "critical")]
    assert told[0]["details"]["known_by"] == "file"
    assert told[0]["details"]["known_size"] >= forgotten.size
    time.sleep(2)
    before = fetch_head(client, auditor)
    assert before.size < forgotten.size
    assert (service.data_dir / "checkpoint").read_text() == kept
    assert client.get(f"audit/events/{told[0]['id']}/proof/", auditor.access).status_code == 409

    said = service.manage("new_log", "--reason", "restored from a backup").stdout
    wait_for_proof(client, auditor, told[0]["id"])
    after = fetch_head(client, auditor)
    assert after.origin == f"{before.origin}/2"
    assert after.origin in said
    first = expect(client.get("audit/events/", auditor.access, params={"type": "log.start"}), 200)["results"][
        0
    ]
    assert first["details"]["checkpoint"] == kept
    assert first["details"]["note"] == "restored from a backup"
    assert wait_for_proof(client, auditor, first["id"])["index"] == 0
    assert fetch_head(client, auditor, "audit/log/1/") == before
    assert not [text for text in client.get("/readyz").json()["warnings"] if "audit log" in text]
    client.close()


def sign_in_again(client: Client, auditor: Person) -> str:
    """A fresh session: the copy may not know the last one."""
    client.sign_in(auditor)
    return auditor.access


def test_altered_hashes_at_the_edge_are_found_before_signing(service: Server) -> None:
    client = Client(service, new_address())
    auditor = client.create_person(role="auditor")
    fail(client, auditor)
    service.stop()
    where = "" if service.backend == "sqlite" else " ON audit_entry"
    service.rows(f"DROP TRIGGER audit_entry_no_update{where}")
    service.rows("UPDATE audit_entry SET leaf_hash = (SELECT root FROM audit_log)")
    install = "from audit.triggers import install; from django.db import connection; install(connection)"
    service.manage("shell", "--no-imports", "-c", install)
    start_again(service)
    assert "contradicts" in wait_for_warning(client)
    client.close()


def test_a_second_restore_signs_no_second_history_under_one_name(service: Server, tmp_path: Path) -> None:
    """The database has forgotten the first successor too; what this node kept has not."""
    begun: list[tuple[str, int]] = []
    said: list[str] = []
    service.stop()
    with snapshot(service, tmp_path / "backup") as old, closing(Client(service, new_address())) as client:
        for again in range(3):
            if again == 2:  # as verify_log asks for, once the loss is known
                next(
                    each for each in service.data_dir.glob("checkpoint.*") if b"/2\n" in each.read_bytes()
                ).unlink()
            start_again(service)
            client.login(Person(new_email()), "a wrong phrase")
            wait_until(lambda: service.rows("SELECT 1 FROM audit_pending") == [], 30)
            wait_until(lambda: service.rows(UNSIGNED) == [(0,)], 30)
            service.stop()
            old.restore(with_data_dir=False)
            said.append(service.manage("new_log", "--reason", "restored from a backup").stdout)
            ((name, told),) = service.rows(BEGUN)
            begun.append((name, (json.loads(told) if isinstance(told, str) else told)["known_size"]))
        judged = service.manage("verify_log", check=False).stdout
    assert [name.rpartition("/")[2] for name, _ in begun] == ["2", "2.2", "2.3"]
    assert ["is not here" in each for each in said] == [False, True, True]
    assert re.search(
        rf"{re.escape(begun[0][0])} is not here, known are [1-9]\d*: the whole log is lost", said[1]
    )
    assert begun[0][1] == begun[1][1], "the first log was longer before the first restore"
    assert "there is no log" in judged, "the first successor is lost, and that is told"


def test_what_another_node_kept_of_a_lost_successor_counts(service: Server, tmp_path: Path) -> None:
    """A second restore takes the first successor away, whose checkpoint the other nodes still have."""
    service.stop()
    kept, elsewhere = service.data_dir / "checkpoint", tmp_path / "elsewhere"
    with snapshot(service, tmp_path / "backup") as old:
        first = kept.read_text()
        service.manage("new_log", "--reason", "restored from a backup")
        kept.rename(elsewhere)
        refused = service.manage(
            "new_log", "--reason", "again", "--checkpoint", str(_written(tmp_path, first)), check=False
        )
        old.restore(with_data_dir=False)
        said = service.manage("new_log", "--reason", "restored again", "--checkpoint", str(elsewhere)).stdout
        ((name, _),) = service.rows(BEGUN)
    assert "has its successor already" in refused.stderr
    assert name.endswith("/2.2")
    assert "/2 is not here, known are 1: the whole log is lost" in said


def _written(directory: Path, note: str) -> Path:
    path = directory / "first"
    path.write_text(note)
    return path


BEGIN_WITHOUT_KEY = """
from django.db import transaction
from audit import checkpoints
from audit.events import SYSTEM, Reason
from secure_auth import integration
with transaction.atomic():
    before = {"checkpoint": checkpoints.newest(1).note}
    integration.start(2, source=SYSTEM, reason=Reason.BY_COMMAND, before=before)
"""


def test_a_successor_that_was_begun_without_the_key_is_not_signed(service: Server) -> None:
    """It would excuse whatever was done to the log before: the rows alone are as easily written as any others."""
    client = Client(service, new_address())
    auditor = client.create_person(role="auditor")
    fail(client, auditor)
    service.stop()
    service.manage("shell", "--no-imports", "-c", BEGIN_WITHOUT_KEY)
    start_again(service)
    assert "it was not begun by new_log" in wait_for_warning(client)
    assert service.rows("SELECT count(*) FROM audit_checkpoint WHERE log = 2") == [(0,)]
    judged = service.manage("verify_log", check=False)
    assert (judged.returncode, "log 2: it has no signed checkpoint" in judged.stdout) == (1, True)
    client.close()
