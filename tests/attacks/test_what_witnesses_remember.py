"""A log is succeeded after a restore, and the successor is silent about what the restore has cost.

Attacker: whoever owns the machine, has brought back an old backup of everything on it, and begins a successor so that
nobody sees how much is gone. Refusal: the witnesses are asked first. What they saw stands in the successor's first
entry, signed by the log that lost it where the witness hands that out, and by the witness's word where it does not. Who
is away, hangs or lies holds nothing up and puts nothing in.
"""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from audit.kept import read_kept
from audit.verify.notes import parse_checkpoint, parse_key, parse_note, read_checkpoint
from audit.witness.keyfile import open_key
from tests.publishing import Published, published
from tests.redis_processes import wait_until
from tests.snapshots import snapshot
from tests.witnesses import MemoryLog

Answers = Callable[[str, bytes], tuple[int, str]]  # (body of a POST, else nothing) by path
STARTS = "SELECT details FROM audit_event WHERE type = 'log.start' ORDER BY id DESC"


@contextlib.contextmanager
def rolled_back(backend: str, directory: Path) -> Iterator[tuple[Published, int, int]]:
    """A stopped service that was brought back with all that it has; its size here, and at the witness."""
    with published(backend, directory) as service:
        before = service.wait_for_more(0)
        service.server.stop()
        with snapshot(service.server, directory / "backup") as old:
            service.start_again()
            service.act()
            reached = service.wait_for_more(before)
            service.server.stop()
            old.restore()
        yield service, before, reached


@contextlib.contextmanager
def answering(answers: Answers) -> Iterator[str]:
    """The URL of something that answers like this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(b"")

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, body: bytes) -> None:
            status, text = answers(self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def told(service: Published) -> dict[str, Any]:
    """The details of the newest log's first event."""
    ((details,), *_) = service.server.rows(STARTS)
    return dict(json.loads(details) if isinstance(details, str) else details)


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_successor_holds_the_checkpoint_that_the_witness_kept(backend: str, tmp_path: Path) -> None:
    with rolled_back(backend, tmp_path) as (service, before, reached):
        said = service.server.manage("new_log", "--reason", "restored from a backup").stdout
        details = told(service)
        log = parse_key(service.witness.logs[0])
        assert read_checkpoint(details["checkpoint"], [log]).size == reached
        note = parse_note(details["checkpoint"])
        lines = [
            line for line in details["checkpoint"].splitlines() if line.startswith("\u2014 witness.test ")
        ]
        assert service.witness.has_cosigned(note.text, lines[0])
        here = service.server.rows("SELECT size FROM audit_log WHERE id = 1")[0][0]
        assert before <= here < reached
        assert (details["size"], details["known_size"]) == (here, reached)
        assert (details["known_by"], details["witness"]) == ("witness", "witness.test")
        assert details["unanswered"] == 1
        assert f"known are {reached} (witness.test, by a checkpoint): {reached - here} are lost" in said
        assert "away.test told nothing (ConnectError)" in said

        kept = service.server.data_dir / f"checkpoint.{reached}"
        assert kept.read_text() == details["checkpoint"]
        service.start_again()
        wait_until(lambda: service.server.rows("SELECT count(*) FROM audit_pending")[0][0] == 0, 30)
        judged = service.server.manage("verify_log", "--checkpoint", str(kept)).stdout
        assert f"openly restored: its successor holds a checkpoint of {reached} entries" in judged
        assert judged.splitlines()[-1].startswith("ok: ")
        assert parse_checkpoint(parse_note(service.checkpoint()).text).origin.endswith("/audit/log/2")


def test_word_of_one_witness_counts_and_liars_and_the_hung_hold_nothing_up(tmp_path: Path) -> None:
    keys = {name: str(open_key(tmp_path / name, name).verifier) for name in ("word", "liar", "hung")}
    with (
        rolled_back("sqlite", tmp_path) as (service, before, reached),
        contextlib.ExitStack() as stack,
    ):
        forged = MemoryLog(origin=parse_key(service.witness.logs[0]).name).grow(reached + 100).checkpoint()

        def word(path: str, body: bytes) -> tuple[int, str]:  # speaks C2SP's add-checkpoint and nothing else
            if not body:
                return 404, ""
            answer = service.witness.add(body)
            return answer.status_code, answer.text

        def liar(path: str, body: bytes) -> tuple[int, str]:
            return (409, f"{10**17}\n") if body else (200, forged)

        listener = stack.enter_context(
            socket.create_server(("127.0.0.1", 0))
        )  # takes connections, says nothing
        witnesses = [
            f"{keys['word']} {stack.enter_context(answering(word))}",
            f"{keys['liar']} {stack.enter_context(answering(liar))}",
            f"{keys['hung']} http://127.0.0.1:{listener.getsockname()[1]}",
        ]
        said = service.server.manage("new_log", "--reason", "restored", WITNESSES=", ".join(witnesses)).stdout
        details = told(service)
        assert service.witness.size() == reached
        assert read_checkpoint(details["checkpoint"], [parse_key(service.witness.logs[0])]).size == before
        assert (details["known_size"], details["known_by"], details["witness"]) == (
            reached,
            "witness",
            "word",
        )
        assert details["unanswered"] == 2
        assert f"known are {reached} (word, by its word)" in said
        assert "liar told nothing (answered 409): it may know of more" in said
        assert "hung told nothing (ReadTimeout): it may know of more" in said
        assert not (service.server.data_dir / f"checkpoint.{reached + 100}").exists()


def test_log_that_lost_nothing_says_so(tmp_path: Path) -> None:
    with published("sqlite", tmp_path) as service:
        reached = service.wait_for_more(0)
        service.server.stop()
        said = service.server.manage("new_log", "--reason", "a new name").stdout
        details = told(service)
        kept = read_kept(service.server.data_dir / f"checkpoint.{details['known_size']}")
        assert kept
        assert details["known_size"] <= details["size"]
        assert details["known_size"] >= reached
        assert "nothing that is known of it is lost" in said
        assert "are lost" not in said
