"""Attacker: serves under the documented role, with the triggers on, or owns the tables (PostgreSQL).

Move: writes a time that no calendar has where `verify_log` must read one, so that it stops before it names what was
altered. Refusal: the database takes no such time from anybody and keeps a log's start; where an owner put it in after
all, the verdict is BAD, and an asked verification ends with it as a critical event.
"""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.redis_processes import wait_until
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("blinded")  # whose service is made once
BLINDING = (
    "UPDATE audit_log SET started_at = '-infinity'",
    "UPDATE audit_log SET started_at = started_at - interval '1 day'",
    "UPDATE audit_log SET ended_at = 'infinity'",
    "INSERT INTO audit_log SELECT 2, 'other.example/log', 1, root, '-infinity' FROM audit_log",
    "INSERT INTO audit_retention (cutoff, time) VALUES ('infinity', now())",
    "INSERT INTO audit_checkpoint SELECT log, size + 1000, root, note, 'infinity' FROM audit_checkpoint",
)
ASK = "INSERT INTO secure_auth_logverification (id, is_open, asked_at, done, total, lines, verdict)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("postgres", tmp_path_factory.mktemp("blinded")) as server:
        yield server


@pytest.mark.parametrize("statement", BLINDING)
def test_nobody_writes_a_time_that_cannot_be_read(service: Server, statement: str) -> None:
    with pytest.raises(psycopg.IntegrityError, match=r"append-only|_readable"):
        service.rows(statement)


def test_an_owner_who_did_is_found(service: Server) -> None:
    service.rows("ALTER TABLE audit_retention DROP CONSTRAINT audit_retention_cutoff_readable")
    service.rows("INSERT INTO audit_retention (cutoff, time) VALUES ('infinity', now())")
    told = service.manage("verify_log", check=False)
    assert told.returncode == 1
    assert told.stdout.splitlines()[-1] == "BAD: a cut-off in audit_retention is no time"
    assert verdict_of(service) == "BAD: a cut-off in audit_retention is no time"
    events = "SELECT outcome, severity FROM audit_event WHERE type = 'audit.verdict'"
    assert service.rows(events) == [("failure", "critical")]


def test_log_without_one_of_its_tables_ends_an_asked_verification(service: Server) -> None:
    service.rows("ALTER TABLE audit_cosignature RENAME TO aside")
    assert verdict_of(service).startswith("no verdict: the log cannot be read")


def verdict_of(service: Server) -> str:
    """What the worker's process says when an auditor asks."""
    asked = str(uuid.uuid4())
    service.rows(f"{ASK} VALUES (%s, true, now(), 0, 0, '', '')", [asked])
    ended = "SELECT verdict FROM secure_auth_logverification WHERE id = %s AND is_open IS NULL"
    wait_until(lambda: service.rows(ended, [asked]), 60)
    return str(service.rows(ended, [asked])[0][0])
