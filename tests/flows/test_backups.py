"""Backups of the embedded database as docs/running.md tells them, and what a stop leaves."""

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.notes import sign_checkpoint
from tests.client import new_email
from tests.ledger import key_of
from tests.processes import descendants
from tests.redis_processes import wait_until
from tests.server import ROOT, Server, running_server

FILE = "secure_auth.sqlite3"
RUNNING = (ROOT / "docs" / "running.md").read_text()
PASSWORD = "nine green lamps in the hall"
LOST_KEY = key_of("lost")
ACCOUNTS = "SELECT count(*) FROM secure_auth_user"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Server]:
    with running_server("sqlite", tmp_path) as server:
        yield server


def accounts_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(ACCOUNTS).fetchone()[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_file_of_a_stopped_service_is_the_whole_database(
    service: Server, tmp_path: Path, number: int
) -> None:
    service.create_user(new_email(), PASSWORD)
    assert service.nodes[0].stop(number) == 0
    shutil.copy(service.data_dir / FILE, tmp_path / "copy")
    assert accounts_in(tmp_path / "copy") == 1


def test_backup_is_put_back_after_a_crash_as_documented(service: Server, tmp_path: Path) -> None:
    """What the crash left in the write-ahead log is of another file."""
    service.create_user(new_email(), PASSWORD)
    copy = tmp_path / "copy.sqlite3"
    with closing(sqlite3.connect(service.data_dir / FILE)) as live, closing(sqlite3.connect(copy)) as kept:
        live.backup(kept)
    for _ in range(5):
        service.create_user(new_email(), PASSWORD)
    wait_until(lambda: service.rows("SELECT max(size) FROM audit_checkpoint")[0][0] > 8)
    everybody = descendants(service.nodes[0].process.pid)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # all at once: who ends in order leaves none
        for pid in everybody:
            os.kill(pid, number)
    service.nodes[0].process.wait()
    assert (service.data_dir / f"{FILE}-wal").stat().st_size
    _restore(service, copy)
    service.manage("new_log", "--reason", "restored")
    assert accounts_in(service.data_dir / FILE) == 1
    service.nodes.clear()
    service.start_node()
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")


def test_successor_whose_checkpoint_cannot_be_kept_has_begun_all_the_same(service: Server) -> None:
    """As on a disk that is full. A failure would have the operator begin one more."""
    service.nodes[0].stop()
    in_the_way = service.data_dir / "checkpoint.new"
    in_the_way.mkdir()
    done = service.manage("new_log", "--reason", "restored")
    assert "DATA_DIR took no checkpoint of it (Is a directory): the worker writes it" in done.stdout
    assert service.rows("SELECT count(*) FROM audit_log") == [(2,)]
    in_the_way.rmdir()
    service.nodes.clear()
    service.start_node()
    kept = service.data_dir / "checkpoint"
    wait_until(lambda: kept.exists() and kept.read_text().splitlines()[0].endswith("/2"))


def test_successor_of_a_lost_database_can_be_verified(service: Server) -> None:
    """With the database went the keys: what DATA_DIR kept is signed by none of the ring, and is a word, no proof."""
    service.create_user(new_email(), PASSWORD)
    wait_until(lambda: service.rows("SELECT max(size) FROM audit_checkpoint")[0][0] > 3)
    service.nodes[0].stop()
    for each in service.data_dir.glob(f"{FILE}*"):
        each.unlink()
    service.nodes.clear()
    service.start_node()
    said = service.manage("new_log", "--reason", "lost").stdout
    assert "(the checkpoint in DATA_DIR)" in said
    assert "are lost" in said
    wait_until(lambda: (service.data_dir / "checkpoint").read_text().splitlines()[0].endswith("/2"))
    for aside in service.data_dir.glob("checkpoint.[0-9]*"):
        aside.rename(service.directory / aside.name)
    assert service.manage("verify_log", check=False).stdout.splitlines()[-1].startswith("ok: ")


def test_successor_reaches_as_far_as_what_other_nodes_kept(service: Server, tmp_path: Path) -> None:
    """To the node whose checkpoint is larger than the first entry says, the old log would be bad for ever."""
    copy, elsewhere, kept = tmp_path / "copy.sqlite3", tmp_path / "elsewhere", service.data_dir / "checkpoint"
    with closing(sqlite3.connect(service.data_dir / FILE)) as live, closing(sqlite3.connect(copy)) as file:
        live.backup(file)
    service.create_user(new_email(), PASSWORD)
    wait_until(lambda: service.rows("SELECT max(size) FROM audit_checkpoint")[0][0] > 8)
    own = kept.read_text()
    service.create_user(new_email(), PASSWORD)
    wait_until(lambda: kept.read_text() != own)
    service.nodes[0].stop()
    kept.rename(elsewhere)
    kept.write_text(own)  # as on a node that follows: it keeps what is newest every few seconds
    _restore(service, copy)

    (tmp_path / "none").write_text(elsewhere.read_text().replace("/audit/log", "/audit/log/7"))
    refused = service.manage("new_log", "--reason", "r", "--checkpoint", str(tmp_path / "none"), check=False)
    assert "signed this checkpoint" in refused.stderr
    assert service.rows("SELECT count(*) FROM audit_log") == [(1,)]
    size = elsewhere.read_text().splitlines()[1]
    said = service.manage("new_log", "--reason", "restored", "--checkpoint", str(elsewhere)).stdout
    assert f"known are {size} " in said
    verdict = service.manage("verify_log", "--checkpoint", str(elsewhere)).stdout.splitlines()[-1]
    assert verdict.startswith("ok: ")


def test_log_that_ends_before_it_was_signed_can_be_taken_elsewhere(tmp_path: Path) -> None:
    """As where a database was lost and no worker may go on with the next one, or none ever ran."""
    with running_server("sqlite", tmp_path, worker=False) as service:
        assert service.rows("SELECT count(*) FROM audit_checkpoint") == [(0,)]
        lost = sign_checkpoint(
            f"{service.origin.partition('//')[2]}/api/v1/audit/log", 500, bytes(32), [LOST_KEY]
        )
        (service.data_dir / "checkpoint").write_text(lost)
        service.manage("new_log", "--reason", "lost")
        assert service.rows("SELECT log FROM audit_checkpoint ORDER BY log") == [(1,), (2,)]
        service.manage("export_log", "--out", str(tmp_path / "export"))
        key = (tmp_path / "export" / "vkey").read_text().splitlines()[0]
        judged = service.manage("verify_log", "--export", str(tmp_path / "export"), "--key", key)
    assert judged.stdout.splitlines()[-1].startswith("ok: 2 entries")


def test_what_a_worker_left_unsigned_is_signed_as_the_log_ends(tmp_path: Path) -> None:
    """Killed between the two, it would have been the first to sign; no export would hold these entries."""
    with running_server("sqlite", tmp_path) as service:
        wait_until(lambda: service.rows("SELECT size FROM audit_checkpoint"))
        service.create_user(new_email(), PASSWORD)
        wait_until(lambda: service.rows("SELECT count(*) FROM audit_checkpoint")[0][0] > 1)
        service.nodes[0].stop()
        (size,) = service.rows("SELECT size FROM audit_log")
        service.rows("DELETE FROM audit_checkpoint WHERE size = %s", size)
        (service.data_dir / "checkpoint").unlink()
        service.manage("new_log", "--reason", "by mistake")
        assert service.rows("SELECT max(size) FROM audit_checkpoint WHERE log = 1") == [size]


def _restore(service: Server, copy: Path) -> None:
    """The two lines of a shell that the documentation tells."""
    told = [
        line[2:]
        for line in RUNNING.splitlines()
        if line.startswith(("$ rm -f var/", "$ cp copy.sqlite3 var/"))
    ]
    assert len(told) == 2
    script = "\n".join(told).replace("var/", f"{service.data_dir}/").replace("copy.sqlite3", str(copy))
    subprocess.run(["sh", "-e", "-c", script], check=True)
