"""A log of more ranges than one: several processes, nodes above the first level, an interrupted run that goes on."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import psycopg
import pytest

from audit import integrate, merkle, notes, removal
from audit.filters import id_prefix
from audit.queries import LOG_SHIFT
from audit.verify.faults import Bad
from audit.verify.notes import parse_key
from audit.verify.postgres import Postgres
from audit.verify.ranges import RANGE
from audit.verify.state import State, load_frontier
from audit.verify.tree import Frontier
from audit.verify.verdict import Outside, Question, judge
from tests import ledger
from tests.bench.logbook import ORIGIN, SIGNER, START_MS, fill

ENTRIES = 4 * RANGE + 1_000  # one node of the second level, and a rest
KEY = parse_key(notes.verifier_key(ORIGIN, SIGNER.public))


pytestmark = pytest.mark.xdist_group("large logs")  # that are made once


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ledger.Owner]:
    with ledger.database("postgres", tmp_path_factory.mktemp("large")) as owner:
        fill(owner.place, ENTRIES)
        yield owner


def run(owner: ledger.Owner, **changes: object) -> tuple[str, list[str]]:
    """The verdict, and what was said before it."""
    said: list[str] = []
    question = Question(keys=[KEY], now_ms=lambda: START_MS, **changes)  # type: ignore[arg-type]
    return judge(partial(Postgres, {"conninfo": owner.place}), question, said.append), said


class Interrupted(BaseException):
    """As by Ctrl-C."""


def interrupt(owner: ledger.Owner, path: Path, outside: Sequence[Outside] = ()) -> None:
    """A run that is interrupted after three ranges, its state kept after each."""
    state = State(path)

    def on_progress(done: int, _total: int) -> None:
        if done >= 3 * RANGE:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        clock = iter(range(0, 10**6, 2))
        patch.setattr("audit.verify.verdict.time.monotonic", lambda: next(clock))
        with pytest.raises(Interrupted):
            run(owner, state=state, on_progress=on_progress, outside=outside)


def test_several_processes_say_what_one_says(owner: ledger.Owner) -> None:
    alone, together = run(owner), run(owner, processes=2)
    assert alone == together
    assert alone[0].startswith(f"ok: {ENTRIES} entries, size {ENTRIES}, root ")


def test_first_of_several_bad_entries_is_named(owner: ledger.Owner) -> None:
    with psycopg.connect(owner.place) as connection:
        places = (3 * RANGE + 5, RANGE + 7, RANGE + 9)
        ids = [
            connection.execute('SELECT event FROM audit_entry WHERE "index" = %s', [at]).fetchone()
            for at in places
        ]
    altered = [str(found[0]) for found in ids if found]
    marks = ", ".join(f"'{event}'" for event in altered)
    owner.run(f"UPDATE audit_event SET request_id = request_id || 'x' WHERE id IN ({marks})")
    try:
        with pytest.raises(Bad) as fault:
            run(owner, processes=2)
    finally:
        owner.run(f"UPDATE audit_event SET request_id = left(request_id, -1) WHERE id IN ({marks})")
    assert (fault.value.index, fault.value.event) == (RANGE + 7, altered[1])


def test_nodes_above_the_first_level_are_judged(owner: ledger.Owner) -> None:
    flip = "UPDATE audit_node SET hash = set_byte(hash, 0, 255 - get_byte(hash, 0)) WHERE level = 2"
    owner.run(flip)
    try:
        with pytest.raises(Bad, match="the node over entries 0 to 65535 is not their hash"):
            run(owner)
    finally:
        owner.run(flip)


def test_interrupted_run_goes_on(owner: ledger.Owner, tmp_path: Path) -> None:
    path = tmp_path / "state"
    interrupt(owner, path)
    reached = json.loads(path.read_text())["logs"]["1"]["size"]
    assert reached == 2 * RANGE
    verdict, said = run(owner, state=State(path), resume=True)
    assert f"  an earlier run found the first {reached} good; they are not read again" in said
    assert verdict.startswith(f"ok: {ENTRIES} entries, size {ENTRIES}, root ")
    assert not path.exists()


def kept(owner: ledger.Owner, size: int, *, of_this_log: bool = True) -> Outside:
    """A checkpoint of the log's key that somebody kept: of this log, or of another history."""
    root = hashlib.sha256(b"another").digest()
    if of_this_log:
        rows = owner.run('SELECT leaf_hash FROM audit_entry WHERE "index" < %s ORDER BY "index"', size)
        root = merkle.fold([bytes(row[0]) for row in rows])
    return Outside(f"kept {size}", notes.sign_checkpoint(ORIGIN, size, root, [SIGNER]))


def test_run_that_goes_on_judges_a_checkpoint_that_the_one_before_was_not_given(
    owner: ledger.Owner, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    forged = kept(owner, 100, of_this_log=False)
    for first_given in ((), [kept(owner, 256)]):
        interrupt(owner, path, outside=first_given)
        with pytest.raises(Bad, match="is not the one that kept 100 was signed over"):
            run(owner, state=State(path), resume=True, outside=[forged])


def test_run_that_goes_on_knows_the_checkpoints_that_the_one_before_met(
    owner: ledger.Owner, tmp_path: Path
) -> None:
    path, given = tmp_path / "state", [kept(owner, 256), kept(owner, RANGE)]
    interrupt(owner, path, outside=given)
    _, said = run(owner, state=State(path), resume=True, outside=given)
    assert f"  an earlier run found the first {2 * RANGE} good; they are not read again" in said
    assert {"  continues kept 256 of 256 entries", f"  continues kept {RANGE} of {RANGE} entries"} <= {*said}


def begun(owner: ledger.Owner, path: Path) -> Frontier | None:
    """What a run would go on from."""
    state, store = State(path), owner.opener()()
    try:
        return state.begun(store, store.heads()[0]) if state.load() else None
    finally:
        store.close()


def test_state_that_the_log_contradicts_is_not_believed(owner: ledger.Owner, tmp_path: Path) -> None:
    path = tmp_path / "state"
    store = owner.opener()()
    reached = load_frontier(store, 1, 2 * RANGE)
    store.close()
    assert reached
    State(path).keep(1, reached)
    found = begun(owner, path)
    assert found is not None
    assert found.root() == reached.root()
    state = json.loads(path.read_text())
    for change in (
        {"root": state["logs"]["1"]["root"][::-1]},
        {"size": RANGE},
        {"size": 5},
        {"size": 8 * RANGE},
    ):
        path.write_text(json.dumps({**state, "logs": {"1": {**state["logs"]["1"], **change}}}))
        assert begun(owner, path) is None
    for garbled in (
        "",
        "[]",
        "[" * 100_000,
        '{"version": 1, "logs": 3}',
        '{"version": 1, "logs": {"1": 4}}',
        '{"version": 2}',
    ):
        path.write_text(garbled)
        assert begun(owner, path) is None


def test_state_is_of_who_owns_its_directory_and_no_link_leads_elsewhere(tmp_path: Path) -> None:
    """Root's run may be resumed by the service; what a run left half written hinders none."""
    if os.geteuid() == 0:
        os.chown(tmp_path, 65534, 65534)
    path, foreign = tmp_path / "state.json", tmp_path / "foreign"
    foreign.write_text("untouched")
    (tmp_path / "state.new").symlink_to(foreign)
    reached = Frontier.of([(RANGE.bit_length() - 1, bytes(32))])
    State(path).keep(1, reached)
    assert State(path).load()
    assert (path.stat().st_uid, path.stat().st_gid) == (tmp_path.stat().st_uid, tmp_path.stat().st_gid)
    assert foreign.read_text() == "untouched"


def test_what_an_earlier_run_read_is_not_read_again(owner: ledger.Owner, tmp_path: Path) -> None:
    """What --resume promises, and no more: events behind the state's boundary are trusted."""
    path = tmp_path / "state"
    interrupt(owner, path)
    owner.run("UPDATE audit_event SET outcome = 'altered' WHERE type = 'log.start'")
    try:
        assert run(owner, state=State(path), resume=True)[0].startswith("ok: ")
        with pytest.raises(Bad, match="its event does not give its leaf hash"):
            run(owner)
    finally:
        owner.run("UPDATE audit_event SET outcome = 'success' WHERE type = 'log.start'")


def test_a_batch_of_a_pruning_reads_no_more_for_the_log_being_large(owner: ledger.Owner) -> None:
    statement = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {removal.NEXT_BODIES}"
    before = id_prefix(START_MS + 365 * 86_400_000)
    with psycopg.connect(owner.place) as connection:
        values = ("", before, LOG_SHIFT + ENTRIES, removal.BATCH)
        (told,) = connection.execute(statement.encode(), values).fetchone() or ()
    plan = told[0]["Plan"]
    assert plan["Actual Rows"] == removal.BATCH
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20 * removal.BATCH


def test_looking_for_stray_events_reads_no_entries_but_theirs(owner: ledger.Owner) -> None:
    with psycopg.connect(owner.place) as connection:
        plan = connection.execute(
            f"EXPLAIN {integrate.QUEUE_STRAY}".encode(), ("", integrate.STRAY_WINDOW)
        ).fetchall()
    assert not [line for (line,) in plan if "Seq Scan on audit_entry" in line]
