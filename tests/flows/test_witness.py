"""`manage.py witness` over HTTP, as C2SP tlog-witness says: every answer, restarts, and submitters who race."""

import contextlib
import itertools
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import notes
from audit.verify.notes import parse_note
from audit.witness.submission import MAX_BODY_BYTES, format_submission
from tests.conftest import scaled
from tests.server import ROOT
from tests.witnesses import ORIGIN, MemoryLog, RunningWitness, running_witness

SIZE = "text/x.tlog.size"


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    return MemoryLog().grow(300)


@pytest.fixture(scope="module")
def shared(log: MemoryLog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWitness]:
    with running_witness(tmp_path_factory.mktemp("witness") / "state", log.verifier_key) as witness:
        assert witness.add(log.submission(0, 100)).status_code == 200
        yield witness


def test_an_honest_log_is_cosigned_as_it_grows(tmp_path: Path) -> None:
    log = MemoryLog().grow(300)
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        for old, size in itertools.pairwise([0, 1, 2, 7, 8, 64, 255, 256, 257, 300, 300]):
            answer = witness.add(log.submission(old, size))
            assert (answer.status_code, answer.text[:2]) == (200, "\u2014 "), answer.text
            assert witness.has_cosigned(parse_note(log.checkpoint(size)).text, answer.text)
        newest = witness.get(f"/checkpoint/{ORIGIN}").text
        assert newest == log.checkpoint(300) + answer.text
        (seen,) = witness.get("/").json()["logs"]
        assert (seen["origin"], seen["size"], seen["checkpoint"], seen["conflicts"]) == (
            ORIGIN,
            300,
            newest,
            [],
        )


def test_the_empty_tree_can_be_cosigned(tmp_path: Path) -> None:
    log = MemoryLog()
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        assert witness.add(log.submission(0, 0)).status_code == 200
        needless = format_submission(0, [bytes(32)], log.grow(3).checkpoint())
        assert witness.add(needless).status_code == 422
        assert witness.add(log.submission(0)).status_code == 200


def test_a_head_of_blanks_is_refused_by_its_length(shared: RunningWitness) -> None:
    """Read on, each would hold the loop for a second."""
    assert shared.get("/", headers={"X-Odd": "a" + " " * 1000 + "b"}).status_code == 200
    assert shared.get("/", headers={"X-Odd": "a" + " " * 3000 + "b"}).status_code == 431


@pytest.mark.parametrize("old", [0, 1, 99, 101])
def test_a_stale_size_is_answered_with_the_size_that_counts(
    shared: RunningWitness, log: MemoryLog, old: int
) -> None:
    answer = shared.add(format_submission(old, [], log.checkpoint(200)))
    assert (answer.status_code, answer.headers["Content-Type"], answer.text) == (409, SIZE, "100\n")


def test_an_old_size_beyond_the_checkpoint_is_a_bad_request(shared: RunningWitness, log: MemoryLog) -> None:
    assert shared.add(format_submission(100, [], log.checkpoint(99))).status_code == 400


def test_an_unknown_log_is_not_found(shared: RunningWitness) -> None:
    stranger = MemoryLog(origin="other.example.org").grow(5)
    assert shared.add(stranger.submission(0)).status_code == 404


def test_another_key_is_forbidden(shared: RunningWitness, log: MemoryLog) -> None:
    other = Ed25519PrivateKey.generate()
    assert shared.add(format_submission(100, log.proof(100), log.checkpoint(key=other))).status_code == 403


def test_an_altered_signature_is_forbidden_and_strangers_are_ignored(tmp_path: Path) -> None:
    log = MemoryLog().grow(9)
    public, name = log.key.public_key().public_bytes_raw(), "stranger.example.org"
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        forged = log.checkpoint() + notes.signature_line(ORIGIN, notes.key_id(ORIGIN, public), bytes(64))
        assert witness.add(format_submission(0, [], forged)).status_code == 403
        extra = notes.signature_line(name, notes.key_id(name, public), bytes(64))
        assert witness.add(format_submission(0, [], log.checkpoint() + extra)).status_code == 200
        assert name not in witness.get(f"/checkpoint/{ORIGIN}").text


@pytest.mark.parametrize("damage", ["short", "long", "altered", "none"])
def test_a_proof_that_shows_nothing_is_not_cosigned(
    shared: RunningWitness, log: MemoryLog, damage: str
) -> None:
    proof = log.proof(100)
    bad = {
        "short": proof[:-1],
        "long": [*proof, bytes(32)],
        "altered": [bytes(32), *proof[1:]],
        "none": [],
    }[damage]
    answer = shared.add(format_submission(100, bad, log.checkpoint()))
    assert answer.status_code == 422
    assert "\u2014" not in answer.text
    assert shared.size() == 100


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 100",
        b"old 0100\n\nnote",
        b"old -1\n\nnote",
        b"new 100\n\nnote",
        b"old 100\nnot base64\n\n",
        b"old 100\n" + b"A" * 43 + b"=\n" * 2 + b"\n\xff\n",
        "old \u0661\n\nx".encode(),
    ],
)
def test_what_is_no_submission_is_a_bad_request(shared: RunningWitness, log: MemoryLog, body: bytes) -> None:
    assert shared.add(body).status_code == 400
    assert shared.add(body + log.checkpoint().replace("300", "0300").encode()).status_code == 400
    too_long = format_submission(100, [bytes(32)] * 64, log.checkpoint())
    assert shared.add(too_long).status_code == 400


def test_large_bodies_and_other_addresses_and_methods_are_refused(shared: RunningWitness) -> None:
    assert shared.add(b"x" * (MAX_BODY_BYTES + 1)).status_code == 413
    assert shared.get("/add-checkpoint").status_code == 405
    assert shared.get("/nothing").status_code == 404
    assert shared.get("/checkpoint/other.example.org").status_code == 404


def test_a_restart_forgets_nothing_and_keeps_the_key(tmp_path: Path) -> None:
    log = MemoryLog().grow(50)
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        assert witness.add(log.submission(0, 30)).status_code == 200
        before = witness.verifier_key
        assert witness.stop() == 0
        witness.start()
        assert witness.verifier_key == before
        assert witness.add(log.submission(0, 20)).text == "30\n"
        assert witness.add(log.submission(30, 50)).status_code == 200
    key = tmp_path / "state" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_a_clock_that_is_set_back_takes_no_word_back(tmp_path: Path) -> None:
    """Else a log that is shown to be fresh would seem to have been older afterwards."""
    log = MemoryLog().grow(9)
    ahead = int(time.time()) + 3600
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        assert witness.add(log.submission(0, 5)).status_code == 200
        with contextlib.closing(sqlite3.connect(tmp_path / "state" / "record.sqlite3")) as record:
            record.execute("UPDATE latest SET time = ?", [ahead])  # as it said when its clock was ahead
            record.commit()
        for old in (5, 9):
            ((_, _, signature),) = parse_note(
                f"text\n\n{witness.add(log.submission(old, 9)).text}"
            ).signatures
            assert int.from_bytes(signature[:8], "big") == ahead


def test_of_racing_submitters_none_takes_the_log_back(tmp_path: Path) -> None:
    log = MemoryLog().grow(scaled(60, 400))
    cosigned: list[int] = []
    lock = threading.Lock()
    with running_witness(tmp_path / "state", log.verifier_key) as witness:

        def submit(step: int) -> None:
            known = 0
            while known < len(log.leaves):
                size = min(known + step, len(log.leaves))
                answer = witness.add(log.submission(known, size))
                assert answer.status_code in (200, 409), answer.text
                if answer.status_code == 409:
                    known = int(answer.text)
                    continue
                with lock:
                    cosigned.append(size)
                known = size

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(submit, step) for step in (1, 2, 3, 5)]:
                done.result()
        assert witness.size() == len(log.leaves)
    # each size below the end was reached once: whoever was slower was told so, and nobody went back
    assert len([size for size in cosigned if size < len(log.leaves)]) == len(
        set(cosigned) - {len(log.leaves)}
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--log", "nonsense"], "NAME+ID+KEY"),
        (
            ["--log", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l"],
            "the id in the verifier key",
        ),
        (["--listen", "nowhere"], "not HOST:PORT"),
        (["--name", "other.example.org"], "is the key of first.example.org"),
        (["--name", "two words", "--state", "{}/other"], "NAME+ID+KEY"),
    ],
)
def test_a_wrong_option_is_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    options = {
        "--listen": "256.0.0.1:1",
        "--state": str(tmp_path / "state"),
        "--log": MemoryLog().verifier_key,
        "--name": "first.example.org",
    }
    assert "cannot listen on 256.0.0.1:1" in run(options)
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    said = run(options | {name: value.format(tmp_path) for name, value in given.items()})
    assert line in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (Path.unlink, "is lost: begin with an empty directory"),
        (lambda record: record.write_bytes(b""), "is lost: begin with an empty directory"),
        (
            lambda record: record.write_bytes(b"no database" * 999),
            "is damaged (file is not a database): begin",
        ),
        (lambda record: os.truncate(record, 5000), "is damaged (database disk image is malformed): begin"),
        (
            lambda record: record.write_bytes(record.read_bytes()[:4096] + bytes(16_384)),
            "is damaged (",
        ),
    ],
    ids=["gone", "empty", "other", "cut", "blank pages"],
)
def test_a_witness_that_lost_its_record_signs_nothing_more(
    tmp_path: Path, damage: Callable[[Path], object], line: str
) -> None:
    """It would cosign what contradicts its own word."""
    log = MemoryLog().grow(5)
    with running_witness(tmp_path / "state", log.verifier_key) as witness:
        assert witness.add(log.submission(0, 5)).status_code == 200
    damage(tmp_path / "state" / "record.sqlite3")
    options = {"--listen": "256.0.0.1:1", "--state": str(tmp_path / "state"), "--log": log.verifier_key}
    said = run(options)
    assert line in said.splitlines()[-1]
    assert "Traceback" not in said


def run(options: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", "witness", *itertools.chain(*options.items())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode
    return done.stderr
