"""What an owner of the database may do to the log: each with the words that docs/tamper-matrix.md has for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import tests.ready  # noqa: F401
from audit import merkle, notes
from tests import ledger
from tests.bench.logbook import KINDS, START_MS, Maker
from tests.ledger import NOW_MS, SIZE, Ledger

V: Final = 105  # the entry that is attacked
LATER: Final = datetime.fromtimestamp(NOW_MS / 1000, UTC)
Run = Any
Act = Callable[[Run, Ledger], None]


@dataclass(frozen=True)
class Alteration:
    """One deed, on rows of a log whose original is known."""

    group: str
    deed: str
    act: Act


def column(table: str, name: str, value: Any, where: str = "id = %s", key: Any = None) -> Alteration:
    """One column of one row."""

    def act(run: Run, log: Ledger) -> None:
        given = value(log) if callable(value) else value
        run(f'UPDATE {table} SET "{name}" = %s WHERE {where}', given, log.id(V) if key is None else key)

    return Alteration("a column is altered", f"`{table}.{name}`", act)


def other_event_id(log: Ledger) -> str:
    """An id of the same millisecond that no event has."""
    return log.id(V)[:-4] + "ffff"


def moved(log: Ledger) -> datetime:
    """The event's time and a microsecond."""
    moment: datetime = log.entries[V][0][1]
    return moment + timedelta(microseconds=1)


_OWN: Final = "event = %s"
_NODE: Final = 'level = 1 AND "index" = %s'
COLUMNS: Final = (
    column("audit_event", "id", other_event_id),
    column("audit_event", "time", moved),
    column("audit_event", "type", "login.password"),
    column("audit_event", "outcome", "success"),
    column("audit_event", "reason", ""),
    column("audit_event", "severity", "info"),
    column("audit_event", "session", ""),
    column("audit_event", "request_id", "r-2"),
    column("audit_event", "details", json.dumps({"b": True, "count": V + 1}, separators=(",", ":"))),
    column("audit_event", "commitments", "{}"),
    column("audit_personaldata", "event", other_event_id, _OWN),
    column("audit_personaldata", "user", "somebody-else", _OWN),
    column("audit_personaldata", "subject", "", _OWN),
    column("audit_personaldata", "ip", "192.0.2.8", _OWN),
    column("audit_personaldata", "user_agent", "curl", _OWN),
    column("audit_personaldata", "foreign_request_id", "ours", _OWN),
    column("audit_personaldata", "text", '{"note":"because"}', _OWN),
    column("audit_personaldata", "salts", lambda log: _swapped_salts(log), _OWN),
    column("audit_entry", "log", 2, _OWN),
    column("audit_entry", "index", SIZE + 5, _OWN),
    column("audit_entry", "event", other_event_id, _OWN),
    column("audit_entry", "leaf_hash", b"\x01" * 32, _OWN),
    column("audit_node", "log", 2, _NODE, 0),
    column("audit_node", "level", 2, _NODE, 0),
    column("audit_node", "index", 7, _NODE, 0),
    column("audit_node", "hash", b"\x01" * 32, _NODE, 0),
    column("audit_log", "id", 2, "id = %s", 1),
    column("audit_log", "origin", "other.example/audit", "id = %s", 1),
    column("audit_log", "size", SIZE - 1, "id = %s", 1),
    column("audit_log", "root", b"\x01" * 32, "id = %s", 1),
    column("audit_log", "started_at", LATER, "id = %s", 1),
    column("audit_log", "ended_at", LATER, "id = %s", 1),
    column("audit_checkpoint", "log", 2, "size = %s", 300),
    column("audit_checkpoint", "size", 301, "size = %s", 300),
    column("audit_checkpoint", "root", b"\x01" * 32, "size = %s", 300),
    column("audit_checkpoint", "note", lambda log: ledger.checkpoint(log.hashes, 299)[0], "size = %s", 300),
    column("audit_checkpoint", "time", LATER - timedelta(hours=1), "size = %s", 300),
    column("audit_cosignature", "log", 2, "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "size", 300, "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "witness", "other.example/w", "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "line", lambda log: _other_cosignature(log), "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "time", LATER - timedelta(hours=1), "size = %s", ledger.COSIGNED),
    column("audit_pending", "event", other_event_id, _OWN, ledger.make().waiting[0][0][0]),
    column("audit_retention", "cutoff", LATER, "cutoff < %s", LATER),
    column("audit_retention", "time", LATER, "time < %s", LATER),
)


def _told(each: Alteration, what: str) -> Alteration:
    return replace(each, deed=f"{each.deed}, {what}")


_NO_TIME: Final = "a time that Python cannot read"
UNREADABLE: Final = (
    _told(column("audit_log", "started_at", "-infinity", "id = %s", 1), _NO_TIME),
    _told(column("audit_log", "ended_at", "infinity", "id = %s", 1), _NO_TIME),
    _told(column("audit_event", "time", "infinity"), _NO_TIME),
    _told(column("audit_retention", "cutoff", "infinity", "cutoff < %s", LATER), _NO_TIME),
)


def _swapped_salts(log: Ledger) -> str:
    salts = json.loads(log.entries[V][1][7])
    salts["ip"], salts["user"] = salts["user"], salts["ip"]
    return json.dumps(salts, separators=(",", ":"))


def _other_cosignature(log: Ledger) -> str:
    return ledger.cosign(ledger.checkpoint(log.hashes, 599)[0].partition("\n\n")[0] + "\n")


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
    run("DROP TABLE IF EXISTS spare")
    if len({log.id(index) for index in range(len(log.entries))}) < len(log.entries):
        run("CREATE TABLE spare AS SELECT * FROM audit_entry")
        run("DROP TABLE audit_entry")
        run("ALTER TABLE spare RENAME TO audit_entry")
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
    Alteration(_TREE, "all checkpoints are deleted", drop_checkpoints),
    Alteration(_TREE, "an event is altered with its leaf hash", alter_with_hash),
    Alteration(_TREE, "an event is altered, and the whole tree made anew, without the key", rewrite_tree),
    Alteration(_TREE, "the same, and no checkpoint is left", rewrite_unsigned),
    Alteration(_TREE, "an entry behind a checkpoint is removed, the tree made anew, the later checkpoints deleted",
               rewrite_tail),
    Alteration(_TREE, "an event is altered, and the whole tree made anew and signed, with the key", rewrite_signed),
    Alteration(_TREE, "the same, but the witness's cosignature is kept", rewrite_signed_but_cosigned),
)  # fmt: skip
