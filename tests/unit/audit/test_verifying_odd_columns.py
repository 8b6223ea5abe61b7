"""What no code of ours ever wrote into a column: the judgement ends, in a line, and says BAD."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ready  # noqa: F401
from audit.verify.faults import Bad
from audit.verify.notes import parse_key
from audit.verify.verdict import Question, judge
from tests import ledger
from tests.ledger import NOW_MS, VKEYS, Owner

NODE = "INSERT INTO audit_node (log, level, \"index\", hash) VALUES (1, {}, 0, x'00')"
ODD = {
    "a size in words": ("UPDATE audit_log SET size = 'many'", "log 1: its head is no size and root"),
    "a root in words": ("UPDATE audit_log SET root = 'root'", "log 1: its head is no size and root"),
    "a start that is no time": (
        "UPDATE audit_log SET started_at = 'yesterday'",
        "the start of a log is no time",
    ),
    "a cut-off that is no time": (
        "UPDATE audit_retention SET cutoff = 'yesterday'",
        "a cut-off in audit_retention is no time",
    ),
    "a cut-off of which no event tells": (
        "UPDATE audit_retention SET cutoff = '2999-01-01 00:00:00'",
        "lets events be deleted of which no integrated audit.prune tells",
    ),
    "details that are spelled otherwise": (
        "UPDATE audit_event SET details = replace(details, ':', ': ') WHERE details <> '{}'",
        "its details are not spelled as they were written",
    ),
    "commitments that are spelled otherwise": (
        "UPDATE audit_event SET commitments = replace(commitments, ':', ': ') WHERE commitments <> '{}'",
        "its commitments are not spelled as they were written",
    ),
    "a checkpoint of no entries": (
        "UPDATE audit_checkpoint SET size = 0 WHERE size = 300",
        "log 1: a stored checkpoint has 0 entries",
    ),
    "an event's time in words": (
        "UPDATE audit_event SET time = 'yesterday'",
        "entry 0 .* its time is not the time in its id",
    ),
    "an entry before the first": (
        "INSERT INTO audit_entry (log, \"index\", event, leaf_hash) VALUES (1, -1, 'x', x'00')",
        r"log 1: an entry -1 \(x\) stands outside its 640 entries",
    ),
    "an event that waits, without its personal data": (
        "DELETE FROM audit_personaldata WHERE event IN (SELECT event FROM audit_pending)",
        "which has no entry yet: its personal data is missing",
    ),
    "a hash that is a number": (
        'UPDATE audit_entry SET leaf_hash = 7 WHERE "index" = 9',
        "entry 9 .* is no hash",
    ),
    "salts that are a number": (
        "UPDATE audit_personaldata SET salts = 7",
        "entry 6 .* its salts are no object",
    ),
    "a checkpoint of a size in words": (
        "UPDATE audit_checkpoint SET size = 'x' WHERE size = 300",
        "is not of its kind",
    ),
    "a node of a level beyond all": (
        NODE.format(30000),
        "level 30000 has nodes that its 640 entries have not",
    ),
    "a node of the level of the leaves": (NODE.format(0), "level 0 has nodes that its 640 entries have not"),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Owner]:
    """SQLite: its columns take values of any type."""
    with ledger.database("sqlite", tmp_path_factory.mktemp("odd")) as owner:
        ledger.fill(owner, ledger.make())
        yield owner


@pytest.mark.parametrize("name", ODD)
def test_odd_columns_end_in_a_verdict(original: Owner, tmp_path: Path, name: str) -> None:
    statement, why = ODD[name]
    question = Question(keys=[parse_key(each) for each in VKEYS], now_ms=lambda: NOW_MS)
    with original.copy(tmp_path) as owner:
        assert judge(owner.opener(), question, lambda _: None).startswith("ok: ")
        owner.run(statement)
        with pytest.raises(Bad, match=why) as found:
            judge(owner.opener(), question, lambda _: None)
    assert "\n" not in str(found.value)


def test_column_that_postgresql_gives_and_python_cannot_read_is_bad(tmp_path: Path) -> None:
    with ledger.database("postgres", tmp_path) as owner:
        ledger.fill(owner, ledger.make())
        owner.run("ALTER TABLE audit_entry ALTER leaf_hash TYPE timestamptz USING 'infinity'::timestamptz")
        with pytest.raises(Bad, match=r"a value cannot be read .*: it was altered"):
            judge(owner.opener(), Question(keys=[parse_key(each) for each in VKEYS]), lambda _: None)


def test_broken_page_of_sqlite_is_bad(original: Owner, tmp_path: Path) -> None:
    with original.copy(tmp_path) as owner:
        ((page,),) = owner.run("SELECT rootpage FROM sqlite_master WHERE name = 'audit_entry'")
        ((size,),) = owner.run("PRAGMA page_size")
        with Path(owner.place).open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        with pytest.raises(Bad, match=r"a value cannot be read .*malformed"):
            judge(owner.opener(), Question(keys=[parse_key(each) for each in VKEYS]), lambda _: None)
