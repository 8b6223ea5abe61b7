"""What an owner of the database may do to the log: each with the words that docs/tamper-matrix.md has for it."""

import json
from dataclasses import replace
from typing import Any, Final

import tests.ready  # noqa: F401
from audit import merkle, notes
from tests import ledger
from tests.attacks.altered_columns import COLUMNS, UNREADABLE, Alteration, Run, V
from tests.bench.logbook import KINDS, START_MS, Maker
from tests.ledger import NOW_MS, SIZE, Ledger


def delete_event(run: Run, log: Ledger) -> None:
    run("DELETE FROM audit_personaldata WHERE event = %s", log.id(V))
    run("DELETE FROM audit_event WHERE id = %s", log.id(V))


def delete_start(run: Run, log: Ledger) -> None:
    """Older than the cut-off, but no pruning takes it."""
    run("DELETE FROM audit_event WHERE id = %s", log.id(0))


def delete_entry(run: Run, log: Ledger) -> None:
    delete_event(run, log)
    run("DELETE FROM audit_entry WHERE event = %s", log.id(V))


def close_the_gap(run: Run, log: Ledger) -> None:
    delete_event(run, log)
    _rebuild(run, without(log))


def insert_event(run: Run, _log: Ledger) -> None:
    ledger.put_event(run, _invented())


def insert_later_event(run: Run, _log: Ledger) -> None:
    year_ms = 365 * 86_400_000
    ledger.put_event(run, Maker(start_ms=NOW_MS + year_ms, seed=7).event(KINDS[0]))


def insert_entry(run: Run, log: Ledger) -> None:
    rows = _invented()
    ledger.put_event(run, rows)
    _rebuild(run, replace(log, entries=[*log.entries[:V], rows, *log.entries[V:]]))


def insert_entry_nowhere(run: Run, column: str) -> None:
    """An event that a reader of the events finds, and whose entry no question for a place finds."""
    rows = _invented()
    ledger.put_event(run, rows)
    _loosen(run, "audit_entry")
    entry = {"log": 1, "index": SIZE, "event": rows[0][0], "leaf_hash": merkle.leaf_hash(rows[2])} | {
        column: None
    }
    run(
        'INSERT INTO audit_entry (log, "index", event, leaf_hash) VALUES (%s, %s, %s, %s)',
        *entry.values(),
    )


def forget_event(run: Run, log: Ledger) -> None:
    _loosen(run, "audit_entry")
    run("UPDATE audit_entry SET event = NULL WHERE event = %s", log.id(V))


def unplace_checkpoint(run: Run, _log: Ledger) -> None:
    _loosen(run, "audit_checkpoint")
    run("UPDATE audit_checkpoint SET log = NULL WHERE size = 300")


def _loosen(run: Run, table: str) -> None:
    """The table without keys and constraints."""
    run("DROP TABLE IF EXISTS loose")
    run(f"CREATE TABLE loose AS SELECT * FROM {table}")
    run(f"DROP TABLE {table}")
    run(f"ALTER TABLE loose RENAME TO {table}")


def swap_entries(run: Run, log: Ledger) -> None:
    first, second = log.id(V), log.id(V + 1)
    run('UPDATE audit_entry SET "index" = -1 WHERE event = %s', first)
    run('UPDATE audit_entry SET "index" = %s WHERE event = %s', V, second)
    run('UPDATE audit_entry SET "index" = %s WHERE event = %s', V + 1, first)


def swap_events(run: Run, log: Ledger) -> None:
    first, second = log.id(V), log.id(V + 1)
    for old, new in ((first, "-"), (second, first), ("-", second)):
        run("UPDATE audit_entry SET event = %s WHERE event = %s", new, old)


def reorder(run: Run, log: Ledger) -> None:
    _rebuild(
        run, replace(log, entries=[*log.entries[:V], *log.entries[V + 3 : V - 1 : -1], *log.entries[V + 4 :]])
    )


def second_entry(run: Run, log: Ledger) -> None:
    _rebuild(run, replace(log, entries=[*log.entries, log.entries[V]]))


def cut_tail(run: Run, log: Ledger) -> None:
    _cut(run, log, SIZE - 20)


def cut_tail_with_checkpoints(run: Run, log: Ledger) -> None:
    _cut(run, log, SIZE - 20)
    run("DELETE FROM audit_checkpoint WHERE size > %s", SIZE - 20)


def roll_back(run: Run, log: Ledger) -> None:
    """What a backup of an hour before would hold."""
    _cut(run, log, 600)
    run("DELETE FROM audit_checkpoint WHERE size > 600")
    run("DELETE FROM audit_pending")
    for rows in log.waiting:
        run("DELETE FROM audit_personaldata WHERE event = %s", rows[0][0])
        run("DELETE FROM audit_event WHERE id = %s", rows[0][0])


def forge_signature(run: Run, log: Ledger) -> None:
    note, _ = ledger.checkpoint(log.hashes, 300, replace(ledger.KEY, sign=lambda _: b"\x02" * 64))
    run("UPDATE audit_checkpoint SET note = %s WHERE size = 300", note)


def forge_cosignature_below(run: Run, _log: Ledger) -> None:
    """What the service would serve as a witness's word."""
    identity = notes.key_id(ledger.WITNESS, ledger.WITNESS_KEY.public, notes.ED25519_COSIGNATURE)
    line = notes.signature_line(ledger.WITNESS, identity, bytes(72))
    run("UPDATE audit_checkpoint SET note = note || %s WHERE size = %s", line, SIZE)


def cosign_below(run: Run, _log: Ledger) -> None:
    run(
        "UPDATE audit_checkpoint SET note = note || (SELECT line FROM audit_cosignature) WHERE size = %s",
        ledger.COSIGNED,
    )


def unsign(run: Run, log: Ledger) -> None:
    text = ledger.checkpoint(log.hashes, 300)[0].partition("\n\n")[0]
    run("UPDATE audit_checkpoint SET note = %s WHERE size = 300", text + "\n\n")


def break_cosignature(run: Run, _log: Ledger) -> None:
    run("UPDATE audit_cosignature SET line = replace(line, %s, '')", "\n")


def sign_with_another_key(run: Run, log: Ledger) -> None:
    ledger.put_checkpoints(run, log.hashes, ledger.OTHER_KEY)


def drop_checkpoints(run: Run, _log: Ledger) -> None:
    run("DELETE FROM audit_checkpoint")
    run("DELETE FROM audit_cosignature")


def delete_personal(run: Run, log: Ledger) -> None:
    run("DELETE FROM audit_personaldata WHERE event = %s", log.id(V))


def swap_personal(run: Run, log: Ledger) -> None:
    first, second = log.id(V), log.id(V + 7)
    for old, new in ((first, "-"), (second, first), ("-", second)):
        run("UPDATE audit_personaldata SET event = %s WHERE event = %s", new, old)


def keep_pruned_personal(run: Run, log: Ledger) -> None:
    ledger.put_event(run, log.entries[ledger.PRUNED[0]], event=False)


def keep_pruned_event(run: Run, log: Ledger) -> None:
    rows = log.entries[ledger.PRUNED[0]]
    ledger.put_event(run, rows)
    run("DELETE FROM audit_personaldata WHERE event = %s", rows[0][0])


def add_value(run: Run, log: Ledger) -> None:
    run("UPDATE audit_personaldata SET subject = 'x' WHERE event = %s", log.id(V + 1))


def add_personal(run: Run, log: Ledger) -> None:
    row = (log.id(0), *log.entries[V][1][1:])
    ledger.put_event(run, (log.entries[0][0], row, b""), event=False)


def second_personal(run: Run, log: Ledger) -> None:
    """Whoever shows the first row found shows the forged one."""
    name = "audit_personaldata"
    run(f"CREATE TABLE forged AS SELECT * FROM {name} WHERE event = '{log.id(V)}'")
    run("UPDATE forged SET ip = '192.0.2.8'")
    run(f"INSERT INTO forged SELECT * FROM {name}")
    run(f"DROP TABLE {name}")
    run(f"ALTER TABLE forged RENAME TO {name}")


def fake_erasure(run: Run, log: Ledger) -> None:
    delete_personal(run, log)
    ledger.put_event(run, _covering("audit.erase", {"events": 1, "erased": [log.id(V)]}))


def fake_prune(run: Run, log: Ledger) -> None:
    delete_event(run, log)
    ledger.put_event(
        run, _covering("audit.prune", {"events": 1, "before_ms": NOW_MS, "log": 1, "entries": ledger.SIZE})
    )


def fake_queued_erasure(run: Run, log: Ledger) -> None:
    fake_erasure(run, log)
    run(
        "INSERT INTO audit_pending (event) SELECT id FROM audit_event WHERE type = 'audit.erase' AND id <> %s",
        log.id(ledger.ERASE),
    )


def widen_erasure(run: Run, log: Ledger) -> None:
    delete_personal(run, log)
    details = {"events": 3, "erased": [*(log.id(each) for each in ledger.ERASED), log.id(V)]}
    told = json.dumps(details, separators=(",", ":"))
    run("UPDATE audit_event SET details = %s WHERE id = %s", told, log.id(ledger.ERASE))


def pretend_pruned(run: Run, log: Ledger) -> None:
    delete_event(run, log)
    run("UPDATE audit_entry SET event = %s WHERE event = %s", log.id(1)[:-4] + "ffff", log.id(V))


def queue_again(run: Run, log: Ledger) -> None:
    run("INSERT INTO audit_pending (event) VALUES (%s)", log.id(V))


def unqueue(run: Run, log: Ledger) -> None:
    run("DELETE FROM audit_pending WHERE event = %s", log.waiting[0][0][0])


def alter_waiting(run: Run, log: Ledger) -> None:
    run("UPDATE audit_event SET outcome = 'failure' WHERE id = %s", log.waiting[0][0][0])


def alter_with_hash(run: Run, log: Ledger) -> None:
    altered, rows = _altered(log)
    run("UPDATE audit_event SET outcome = 'success' WHERE id = %s", log.id(V))
    run("UPDATE audit_entry SET leaf_hash = %s WHERE event = %s", merkle.leaf_hash(rows[2]), log.id(V))
    assert altered


def rewrite_tree(run: Run, log: Ledger) -> None:
    altered, _ = _altered(log)
    run("UPDATE audit_event SET outcome = 'success' WHERE id = %s", log.id(V))
    _rebuild(run, altered)


def rewrite_unsigned(run: Run, log: Ledger) -> None:
    rewrite_tree(run, log)
    drop_checkpoints(run, log)


def rewrite_tail(run: Run, log: Ledger) -> None:
    """Entries behind an older checkpoint, the newer ones deleted."""
    _rebuild(run, replace(log, entries=[*log.entries[:610], *log.entries[611:]]))
    run("DELETE FROM audit_personaldata WHERE event = %s", log.id(610))
    run("DELETE FROM audit_event WHERE id = %s", log.id(610))
    run("DELETE FROM audit_checkpoint WHERE size > 600")


def rewrite_signed(run: Run, log: Ledger) -> None:
    altered, _ = _altered(log)
    rewrite_tree(run, log)
    ledger.put_checkpoints(run, altered.hashes, ledger.KEY)
    run("DELETE FROM audit_cosignature")


def rewrite_signed_but_cosigned(run: Run, log: Ledger) -> None:
    altered, _ = _altered(log)
    lines = run("SELECT line FROM audit_cosignature")
    rewrite_tree(run, log)
    ledger.put_checkpoints(run, altered.hashes, ledger.KEY)
    run("UPDATE audit_cosignature SET line = %s", lines[0][0])


def _invented() -> ledger.Rows:
    return Maker(seed=7, start_ms=START_MS + 3_000).event(KINDS[0])


def _covering(kind: str, details: dict[str, Any]) -> ledger.Rows:
    maker = Maker(seed=8, start_ms=NOW_MS - 3_600_000)
    return maker.rows((kind, "success", "by_command", "high"), "", "", details, {})


def without(log: Ledger) -> Ledger:
    """A log without the attacked entry."""
    return replace(log, entries=[*log.entries[:V], *log.entries[V + 1 :]])


def _altered(log: Ledger) -> tuple[Ledger, ledger.Rows]:
    event, own, leaf = log.entries[V]
    rows = (event, own, leaf.replace(b'"outcome":"failure"', b'"outcome":"success"'))
    return replace(log, entries=[*log.entries[:V], rows, *log.entries[V + 1 :]]), rows


def _rebuild(run: Run, log: Ledger) -> None:
    """Entries, nodes and head as they would be had the log always been this one."""
    if len({log.id(index) for index in range(len(log.entries))}) < len(log.entries):
        _loosen(run, "audit_entry")
    ledger.put_tree(run, [log.id(index) for index in range(len(log.entries))], log.hashes)


def _cut(run: Run, log: Ledger, size: int) -> None:
    for index in range(size, SIZE):
        run("DELETE FROM audit_personaldata WHERE event = %s", log.id(index))
        run("DELETE FROM audit_event WHERE id = %s", log.id(index))
    _rebuild(run, replace(log, entries=log.entries[:size]))


_ENTRIES, _PERSONAL, _TREE = "entries", "personal data", "the whole tree"
ALTERATIONS: Final = (
    *COLUMNS,
    *UNREADABLE,
    Alteration(_ENTRIES, "an event is deleted", delete_event),
    Alteration(_ENTRIES, "the event that begins the log is deleted, after a prune of what is younger", delete_start),
    Alteration(_ENTRIES, "an event is deleted with its entry", delete_entry),
    Alteration(_ENTRIES, "the same, and all that follow move up, with nodes and head", close_the_gap),
    Alteration(_ENTRIES, "an event is inserted, without an entry", insert_event),
    Alteration(_ENTRIES, "the same, dated a year ahead", insert_later_event),
    Alteration(_ENTRIES, "an event is inserted with its entry, with nodes and head", insert_entry),
    Alteration(_ENTRIES, "an event is inserted with an entry that has no log",
               lambda run, _: insert_entry_nowhere(run, "log")),
    Alteration(_ENTRIES, "the same, and the entry has no index", lambda run, _: insert_entry_nowhere(run, "index")),
    Alteration(_ENTRIES, "an entry names no event any longer", forget_event),
    Alteration(_ENTRIES, "two entries are swapped", swap_entries),
    Alteration(_ENTRIES, "the events of two entries are swapped", swap_events),
    Alteration(_ENTRIES, "entries are reordered, with nodes and head", reorder),
    Alteration(_ENTRIES, "an event gets a second entry, with nodes and head", second_entry),
    Alteration(_ENTRIES, "a deleted event's entry is given an id that a prune covers", pretend_pruned),
    Alteration(_ENTRIES, "an event that waits for its entry is taken out of the queue", unqueue),
    Alteration(_ENTRIES, "an event that has its entry is queued again", queue_again),
    Alteration(_ENTRIES, "an event that waits for its entry is altered", alter_waiting),
    Alteration(_ENTRIES, "the tail is cut, with nodes and head", cut_tail),
    Alteration(_ENTRIES, "the same, and the checkpoints of it are deleted", cut_tail_with_checkpoints),
    Alteration(_ENTRIES, "the database is rolled back to an earlier state", roll_back),
    Alteration(_PERSONAL, "a row is deleted and nothing covers it", delete_personal),
    Alteration(_PERSONAL, "the rows of two events are swapped", swap_personal),
    Alteration(_PERSONAL, "a row has a value more than the event committed to", add_value),
    Alteration(_PERSONAL, "an event without commitments gets a row", add_personal),
    Alteration(_PERSONAL, "an event gets a second row, and the table loses its key", second_personal),
    Alteration(_PERSONAL, "the row of a pruned event stays", keep_pruned_personal),
    Alteration(_PERSONAL, "a pruned event stays, without its row", keep_pruned_event),
    Alteration(_PERSONAL, "a row is deleted, and an `audit.erase` without an entry names it", fake_erasure),
    Alteration(_PERSONAL, "the same, and the `audit.erase` waits for its entry", fake_queued_erasure),
    Alteration(_PERSONAL, "a row is deleted, and a genuine `audit.erase` altered to name it", widen_erasure),
    Alteration(_PERSONAL, "an event is deleted, and an `audit.prune` without an entry covers it", fake_prune),
    Alteration(_TREE, "a signature is forged", forge_signature),
    Alteration(_TREE, "the signature under a checkpoint is removed", unsign),
    Alteration(_TREE, "a forged cosignature is put under a checkpoint's own signature", forge_cosignature_below),
    Alteration(_TREE, "a genuine one is put there", cosign_below),
    Alteration(_TREE, "a cosignature loses its line end", break_cosignature),
    Alteration(_TREE, "all checkpoints are signed with another key", sign_with_another_key),
    Alteration(_TREE, "a checkpoint is of no log any longer", unplace_checkpoint),
    Alteration(_TREE, "all checkpoints are deleted", drop_checkpoints),
    Alteration(_TREE, "an event is altered with its leaf hash", alter_with_hash),
    Alteration(_TREE, "an event is altered, and the whole tree made anew, without the key", rewrite_tree),
    Alteration(_TREE, "the same, and no checkpoint is left", rewrite_unsigned),
    Alteration(_TREE, "an entry behind a checkpoint is removed, the tree made anew, the later checkpoints deleted",
               rewrite_tail),
    Alteration(_TREE, "an event is altered, and the whole tree made anew and signed, with the key", rewrite_signed),
    Alteration(_TREE, "the same, but the witness's cosignature is kept", rewrite_signed_but_cosigned),
)  # fmt: skip
