"""A log that was ended, and the successor that holds its last known checkpoint."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import tests.ready  # noqa: F401
from audit import merkle
from audit.notes import Signer, verifier_key
from audit.verify.faults import Bad
from audit.verify.notes import parse_key
from audit.verify.verdict import Outside, Question, judge
from tests import ledger
from tests.bench.logbook import KINDS, START_MS, TABLES, Maker
from tests.ledger import KEY, NOW_MS, ORIGIN, OTHER_KEY, SIZE, VKEYS, Ledger, Owner

SECOND = f"{ORIGIN}/2"
BEGAN_MS = START_MS + 3_600_000


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Owner, Ledger]]:
    log = ledger.make()
    with ledger.database("sqlite", tmp_path_factory.mktemp("logs")) as owner:
        ledger.fill(owner, log)
        yield owner, log


@pytest.fixture
def database(first: tuple[Owner, Ledger], tmp_path: Path) -> Iterator[Owner]:
    with first[0].copy(tmp_path) as owner:
        yield owner


def note_of(log: Ledger, size: int = SIZE, key: Signer = KEY, origin: str = ORIGIN) -> str:
    return ledger.checkpoint(log.hashes, size, key, origin)[0]


def begin_second(owner: Owner, checkpoint: str | None) -> list[bytes]:
    """End the first log and begin the second, as `new_log` does; its leaf hashes."""
    maker = Maker(origin=SECOND, log=2, start_ms=BEGAN_MS, seed=2)
    details: dict[str, Any] = {"log": 2, "origin": SECOND}
    if checkpoint is not None:
        details["checkpoint"] = checkpoint
    rows = [maker.rows(("log.start", "success", "by_command", "info"), "", "", details, {})]
    rows += [maker.event(kind) for kind in KINDS[:2]]
    hashes = [merkle.leaf_hash(leaf) for _, _, leaf in rows]
    began = datetime.fromtimestamp(BEGAN_MS / 1000 + 1, UTC)
    note, root = ledger.checkpoint(hashes, 3, KEY, SECOND)
    with owner.connect() as run:
        for index, row in enumerate(rows):
            ledger.put_event(run, row)
            columns = TABLES["audit_entry"]
            run(
                f"INSERT INTO audit_entry ({columns}) VALUES (2, %s, %s, %s)", index, row[0][0], hashes[index]
            )
        run("UPDATE audit_log SET ended_at = %s", began)
        run(
            "INSERT INTO audit_log (id, origin, size, root, started_at) VALUES (2, %s, 3, %s, %s)",
            SECOND, root, began,
        )  # fmt: skip
        run(
            "INSERT INTO audit_checkpoint (log, size, root, note, time) VALUES (2, 3, %s, %s, %s)",
            root, note, began,
        )  # fmt: skip
    return hashes


def restore(owner: Owner, log: Ledger, size: int) -> None:
    """The first log as a backup of it was, when it had so many entries."""
    with owner.connect() as run:
        for index in range(size, SIZE):
            run("DELETE FROM audit_personaldata WHERE event = %s", log.id(index))
            run("DELETE FROM audit_event WHERE id = %s", log.id(index))
        kept = replace(log, entries=log.entries[:size])
        ledger.put_tree(run, [kept.id(index) for index in range(size)], kept.hashes)
        run("DELETE FROM audit_checkpoint WHERE size > %s", size)


def say(owner: Owner, *outside: str, vkeys: tuple[str, ...] = VKEYS) -> tuple[str, list[str]]:
    said: list[str] = []
    kept = [Outside(f"file {number}", note) for number, note in enumerate(outside)]
    question = Question(keys=[parse_key(each) for each in vkeys], outside=kept, now_ms=lambda: NOW_MS)
    return judge(owner.opener(), question, said.append), said


def test_successor_of_a_whole_log_is_good(first: tuple[Owner, Ledger], database: Owner) -> None:
    begin_second(database, note_of(first[1]))
    verdict, said = say(database, note_of(first[1], 630))
    assert verdict.startswith(f"ok: {SIZE + 3} entries, size 3, root ")
    assert "  continues file 0 of 630 entries" in said
    assert not any("restored" in line for line in said)


def test_key_of_the_successor_judges_the_logs_before_where_they_have_none(
    first: tuple[Owner, Ledger], database: Owner
) -> None:
    begin_second(database, note_of(first[1]))
    newest, foreign = verifier_key(SECOND, KEY.public), verifier_key(ORIGIN, OTHER_KEY.public)
    assert say(database, vkeys=(newest,))[0].startswith(f"ok: {SIZE + 3} entries, size 3, root ")
    with pytest.raises(Bad, match="no trusted key signed it"):
        say(database, vkeys=(newest, foreign))
    with pytest.raises(Bad, match="no trusted key signed it"):
        say(database, vkeys=(verifier_key(SECOND, OTHER_KEY.public),))


def test_openly_restored_log_is_good_up_to_what_was_declared(
    first: tuple[Owner, Ledger], database: Owner
) -> None:
    _, log = first
    restore(database, log, 600)
    begin_second(database, note_of(log))
    verdict, said = say(database, note_of(log, 620), note_of(log))
    assert verdict.startswith("ok: 603 entries, size 3")
    assert f"  openly restored: its successor holds a checkpoint of {SIZE} entries" in said


def test_what_was_lost_excuses_no_stored_checkpoint(first: tuple[Owner, Ledger], database: Owner) -> None:
    _, log = first
    forked = replace(log, entries=[*log.entries[:100], *log.entries[101:]])
    restore(database, log, 600)
    begin_second(database, note_of(log))
    note, root = ledger.checkpoint(forked.hashes, 300)
    database.run("UPDATE audit_checkpoint SET root = %s, note = %s WHERE size = 300", root, note)
    with pytest.raises(Bad, match="is not the one that the stored checkpoint of 300 entries was signed over"):
        say(database)


def test_stored_checkpoint_of_a_foreign_log_is_bad_though_its_key_is_trusted(
    first: tuple[Owner, Ledger], database: Owner
) -> None:
    foreign = "other.example/audit"
    note = note_of(first[1], 300, origin=foreign)
    database.run("UPDATE audit_checkpoint SET note = %s WHERE size = 300", note)
    with pytest.raises(Bad, match="checkpoint of 300 entries does not say what its columns say"):
        say(database, vkeys=(*VKEYS, verifier_key(foreign, KEY.public)))


def test_more_was_lost_than_was_declared(first: tuple[Owner, Ledger], database: Owner) -> None:
    _, log = first
    restore(database, log, 600)
    begin_second(database, note_of(log, 620))
    with pytest.raises(Bad) as fault:
        say(database, note_of(log))
    assert str(fault.value).startswith(
        "entry 600 (no event): it is missing: the log ends before it, file 0 has 640"
    )


def test_unlike_checkpoint_of_a_log_that_lost_nothing_is_bad(
    first: tuple[Owner, Ledger], database: Owner
) -> None:
    _, log = first
    begin_second(database, note_of(log))
    forked = replace(log, entries=[*log.entries[:100], *log.entries[101:]])
    with pytest.raises(Bad, match="is not the one that file 0 was signed over"):
        say(database, note_of(forked, 500))


def test_removed_successor_is_missed(first: tuple[Owner, Ledger], database: Owner) -> None:
    _, log = first
    hashes = begin_second(database, note_of(log))
    kept = ledger.checkpoint(hashes, 3, KEY, SECOND)[0]
    assert say(database, kept)[0].startswith("ok: ")
    with database.connect() as run:
        run("DELETE FROM audit_log WHERE id = 2")
        run("UPDATE audit_log SET ended_at = NULL")
    with pytest.raises(Bad, match=r"file 0: there is no log log\.example/audit/2"):
        say(database, kept)


@pytest.mark.parametrize(
    ("checkpoint", "why"),
    [
        (lambda log: None, "does not hold the last checkpoint"),
        (lambda log: "garbage", "the note has no signatures"),
        (lambda log: note_of(log, key=OTHER_KEY), "no trusted key signed it"),
        (lambda log: note_of(log, origin=SECOND), "no trusted key signed it"),
    ],
    ids=["none", "garbage", "of another key", "of another log"],
)
def test_successor_must_hold_a_signed_checkpoint_of_the_log_before(
    first: tuple[Owner, Ledger], database: Owner, checkpoint: Callable[[Ledger], str | None], why: str
) -> None:
    begin_second(database, checkpoint(first[1]))
    with pytest.raises(Bad, match=why) as fault:
        say(database)
    assert fault.value.index == 0


def test_trusted_checkpoint_of_a_foreign_log_says_nothing_of_the_log_before(
    first: tuple[Owner, Ledger], database: Owner
) -> None:
    foreign = "other.example/audit"
    begin_second(database, note_of(first[1], origin=foreign))
    with pytest.raises(Bad, match="the checkpoint that it holds is of another log"):
        say(database, vkeys=(*VKEYS, verifier_key(foreign, KEY.public)))


def test_successor_that_nobody_signed_is_bad_from_its_first_moment(
    first: tuple[Owner, Ledger], database: Owner
) -> None:
    """Whoever has the tables alone can begin a log that excuses what he did to the one before."""
    begin_second(database, note_of(first[1]))
    with database.connect() as run:
        run("DELETE FROM audit_checkpoint WHERE log = 2")
    question = Question(keys=[parse_key(each) for each in VKEYS], now_ms=lambda: BEGAN_MS + 1000)
    with pytest.raises(Bad, match="log 2: it has no signed checkpoint"):
        judge(database.opener(), question, lambda _: None)


def test_event_of_the_log_before_has_no_second_entry(first: tuple[Owner, Ledger], database: Owner) -> None:
    """Behind the newest checkpoint it wants no key."""
    _, log = first
    hashes = [*begin_second(database, note_of(log)), log.hashes[SIZE - 1]]
    with database.connect() as run:
        for statement in (
            "CREATE TABLE loose AS SELECT * FROM {}",
            "DROP TABLE {}",
            "ALTER TABLE loose RENAME TO {}",
        ):
            run(statement.format("audit_entry"))
        columns = TABLES["audit_entry"]
        run(f"INSERT INTO audit_entry ({columns}) VALUES (2, 3, %s, %s)", log.id(SIZE - 1), hashes[3])
        root = ledger.checkpoint(hashes, 4, KEY, SECOND)[1]
        run("UPDATE audit_log SET size = 4, root = %s WHERE id = 2", root)
    with pytest.raises(Bad, match="events stand against"):
        say(database)


def test_another_history_is_told_from_a_lost_tail(first: tuple[Owner, Ledger], database: Owner) -> None:
    _, log = first
    forked = replace(log, entries=[*log.entries[:100], *log.entries[101:]])
    begin_second(database, note_of(forked, 630))
    verdict, said = say(database)
    assert verdict.startswith("ok: ")
    (told,) = [line for line in said if "restored" in line]
    assert "one of the entries" in told
    assert "is not the one that the successor's checkpoint was signed over" in told
