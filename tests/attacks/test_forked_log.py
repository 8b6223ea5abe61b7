"""A log that tells two histories.

Attacker: whoever holds the log's key and its database. Move: after a witness saw one history, sign another: of the same
size, larger, smaller, or as if nothing had been. Refusal: no cosignature; the witness keeps what proves the lie.
"""

from pathlib import Path

from audit.verify.notes import Checkpoint, parse_key, read_checkpoint
from audit.witness.record import KEPT_CONFLICTS, Latest, Record
from audit.witness.submission import format_submission
from tests.witnesses import ORIGIN, MemoryLog, running_witness


def test_no_second_history_is_cosigned(tmp_path: Path) -> None:
    honest = MemoryLog().grow(40)
    forked = honest.fork(at=20).grow(40, "rewritten")
    with running_witness(tmp_path / "state", honest.verifier_key) as witness:
        assert witness.add(honest.submission(0)).status_code == 200

        same_size = witness.add(format_submission(40, [], forked.checkpoint(40)))
        assert (same_size.status_code, same_size.text) == (409, "40\n")
        for proof in ([], forked.proof(40), forked.proof(20)):
            assert witness.add(format_submission(40, proof, forked.checkpoint())).status_code == 422
        assert witness.add(forked.submission(20)).text == "40\n"
        assert witness.add(forked.submission(0)).text == "40\n"
        assert witness.add(format_submission(40, [], forked.checkpoint(30))).status_code == 400

        (seen,) = witness.get("/").json()["logs"]
        assert (seen["size"], seen["checkpoint"]) == (40, witness.get(f"/checkpoint/{ORIGIN}").text)
        ((cosigned, other),) = seen["conflicts"]
        convict(honest, cosigned, other)
        assert witness.add(honest.grow(5).submission(40)).status_code == 200


def convict(log: MemoryLog, *checkpoints: str) -> None:
    """Both bear the log's signature, are of one size, and differ."""
    key = parse_key(log.verifier_key)
    said = [read_checkpoint(checkpoint, [key]) for checkpoint in checkpoints]
    assert said[0].size == said[1].size
    assert said[0].root != said[1].root


def test_a_log_fills_no_record_with_its_forks(tmp_path: Path) -> None:
    record, origin = Record(tmp_path / "seen.sqlite3"), "example.org/log"
    for number in range(KEPT_CONFLICTS + 4):
        fork = Checkpoint(origin, 9, number.to_bytes(32))
        with record.alone() as turn:
            turn.keep_conflict(fork, f"fork {number}", Latest(9, b"x" * 32, "the first", ""))
    assert len(record.conflicts(origin)) == KEPT_CONFLICTS
