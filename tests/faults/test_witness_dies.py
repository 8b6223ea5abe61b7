"""A witness is killed with SIGKILL, between any two of its lines and while requests race: it never goes back."""

import contextlib
import os
import random
import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest

from audit.verify.notes import parse_key
from audit.witness.judge import Witness
from audit.witness.keyfile import open_key
from audit.witness.record import Record
from tests.conftest import scaled
from tests.witnesses import MemoryLog, running_witness

LINES = 400  # more than one request runs through


def witness_of(state: Path, log: MemoryLog) -> Witness:
    state.mkdir(exist_ok=True)
    key = parse_key(log.verifier_key)
    return Witness(open_key(state / "key", "witness.test"), [key], Record(state / "record.sqlite3"))


def die_at(line: int, state: Path, log: MemoryLog, body: bytes) -> tuple[bool, bytes]:
    """Handle a request in a process that kills itself at its n-th line; whether it did, and what it had answered."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        sys.settrace(Countdown(line))
        answer = witness_of(state, log).add_checkpoint(body)
        sys.settrace(None)
        os.write(writer, answer.body.encode())
        os._exit(0)
    os.close(writer)
    said = b""
    while part := os.read(reader, 4096):
        said += part
    os.close(reader)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGKILL
    return os.WIFSIGNALED(status), said


class Countdown:
    """Kills this process at its n-th line of the witness's code."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if "/audit/witness/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_killed_at_any_line_it_stands_before_or_after_the_checkpoint(tmp_path: Path) -> None:
    log = MemoryLog().grow(LINES)
    state, size, stood = tmp_path / "state", 1, set()
    witness = witness_of(state, log)
    assert witness.add_checkpoint(log.submission(0, 1)).status == 200
    for line in range(1, LINES):
        died, said = die_at(line, state, log, log.submission(size, size + 1))
        now = witness._record.latest(log.origin).size
        assert now in (size, size + 1)
        assert not said or now == size + 1
        assert witness.add_checkpoint(log.submission(now, now + 1)).status == 200
        stood.add(now - size)
        size = now + 1
        if not died:
            break
    assert line > 40
    assert stood == {0, 1}


def test_killed_while_requests_race_it_never_goes_back(tmp_path: Path) -> None:
    log, seeded = MemoryLog().grow(scaled(4_000, 40_000)), random.Random(162)
    done = threading.Event()
    cosigned: list[int] = []
    with running_witness(tmp_path / "state", log.verifier_key) as witness:

        def submit(step: int) -> None:
            known = 0
            while not done.is_set() and known + step < len(log.leaves):
                try:
                    answer = witness.add(log.submission(known, known + step))
                except httpx.TransportError:
                    continue
                assert answer.status_code in (200, 409), answer.text
                known = int(answer.text) if answer.status_code == 409 else known + step
                if answer.status_code == 200:
                    cosigned.append(known)

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(submit, step) for step in (1, 3)]
            try:
                for _ in range(scaled(3, 30)):
                    done.wait(seeded.uniform(0.3, 1.0))
                    witness.stop(signal.SIGKILL)
                    reached = max(cosigned, default=0)
                    witness.start()
                    assert witness.size() >= reached
            finally:
                done.set()
            for one in running:
                one.result()
    assert len(cosigned) == len(set(cosigned))


def test_transaction_that_the_database_ended_by_itself_is_told_by_its_cause(tmp_path: Path) -> None:
    log = MemoryLog().grow(3)
    witness = witness_of(tmp_path / "witness", log)
    with contextlib.closing(sqlite3.connect(tmp_path / "witness" / "record.sqlite3")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON latest BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END"
        )
    with pytest.raises(sqlite3.Error, match="the disk is full"):
        witness.add_checkpoint(log.submission(0))
    assert witness.cosigned(log.origin) is None
