"""A log whose own head was altered is not signed on; its node says so once a minute, and steadily at /readyz."""

import json
import time
from contextlib import closing
from pathlib import Path

from tests.client import Client
from tests.conftest import new_address
from tests.faults.test_integrator import make_event
from tests.redis_processes import wait_until
from tests.server import Server, running_server

QUIET_SECONDS = 3
GUARDS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'"


def set_root(server: Server, root: bytes) -> None:
    """As the database's owner can, who puts the guards aside and back."""
    guards = server.rows(GUARDS)
    for name, _ in guards:
        server.rows(f"DROP TRIGGER {name}")
    server.rows("UPDATE audit_log SET root = %s", [root])
    for _, definition in guards:
        server.rows(definition)


def alarms(server: Server) -> int:
    """How often the integrator said so."""
    lines = [json.loads(line) for line in server.logs().splitlines() if line.startswith("{")]
    return sum(line["event"] == "log.inconsistent" and line["level"] == "critical" for line in lines)


def pending(server: Server) -> int:
    return int(server.rows("SELECT count(*) FROM audit_pending")[0][0])


def test_altered_head_is_told_steadily_and_not_at_each_turn(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path) as server:
        make_event(server)
        wait_until(lambda: pending(server) == 0, 20)
        right = bytes(server.rows("SELECT root FROM audit_log")[0][0])
        server.nodes.pop().stop()  # an integrator that remembers its own tree would find another contradiction first
        set_root(server, bytes(32))
        server.start_node()
        make_event(server)
        told = server.data_dir / "log-trouble"
        wait_until(told.exists, 20)
        until = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < until:
            assert told.exists()
            time.sleep(0.02)
        assert alarms(server) == 1
        with closing(Client(server, new_address())) as client:
            assert client.get("/readyz").json()["warnings"]
        set_root(server, right)
        wait_until(lambda: not told.exists(), 20)
        assert pending(server) == 0


def test_altered_head_is_told_where_the_data_directory_takes_no_note(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path) as server:
        make_event(server)
        wait_until(lambda: pending(server) == 0, 20)
        server.nodes.pop().stop()
        set_root(server, bytes(32))
        (server.data_dir / "log-trouble").mkdir()  # as a disk that is full, no file can be written
        server.start_node()
        found = "SELECT count(*) FROM audit_event WHERE type = 'log.inconsistent'"
        wait_until(lambda: server.rows(found)[0][0] == 1, 20)
        assert alarms(server) == 1


def test_kept_checkpoint_that_cannot_be_read_is_told_until_it_can(tmp_path: Path) -> None:
    with running_server("sqlite", tmp_path) as server:
        make_event(server)
        wait_until(lambda: pending(server) == 0, 20)
        kept = server.data_dir / "checkpoint"
        kept.rename(tmp_path / "aside")
        kept.mkdir()
        make_event(server)
        told = server.data_dir / "log-trouble"
        wait_until(told.exists, 20)
        assert "cannot be read" in told.read_text()
        with closing(Client(server, new_address())) as client:
            assert client.get("/readyz").json()["warnings"]
        kept.rmdir()
        (tmp_path / "aside").rename(kept)
        wait_until(lambda: not told.exists() and pending(server) == 0, 20)
