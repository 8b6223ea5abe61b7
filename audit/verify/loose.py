"""What stands in a log's tables beside its entries: what waits for an entry, and what should not be there at all."""

from collections.abc import Sequence
from typing import Final

from audit.verify.database import Database
from audit.verify.faults import Bad, printable
from audit.verify.leaves import EVENT, PERSONAL, Altered, milliseconds_of, rebuild
from audit.verify.store import Head, moment_of
from audit.verify.tree import TILE

GRACE_SECONDS: Final = 120  # an event that waits longer, and in no queue, was slipped in or taken out
MOST_LEVELS: Final = 8  # of tiles: 2^64 entries
_ENTRY: Final = "SELECT 1 FROM audit_entry n WHERE n.event = "


def judge_strays(database: Database, heads: Sequence[Head]) -> None:
    """Refuse rows of logs, levels and indexes that there are not.

    Raises:
        Bad: the first one.
    """
    numbers = {head.log: head for head in heads}
    _judge_placeless(database)
    for table in ("audit_entry", "audit_checkpoint", "audit_cosignature"):
        ((least, most),) = database.rows(f"SELECT min(log), max(log) FROM {table}")  # noqa: S608 constant
        for log in (least, most):
            if log is not None and log not in numbers:
                raise Bad(f"{table} has rows of a log {log} that is not there")
    for head in heads:
        _judge_ends(database, head)
    _judge_nodes(database, numbers)


def _judge_placeless(database: Database) -> None:
    """Rows with a NULL where their place should be, which no question for a place finds."""
    for event, log in database.rows(
        'SELECT event, log FROM audit_entry WHERE log IS NULL OR "index" IS NULL ORDER BY event LIMIT 1'
    ):
        raise Bad(f"event {printable(event)}: its entry has no {'log' if log is None else 'index'}")
    for table in ("audit_checkpoint", "audit_cosignature"):
        if database.rows(f"SELECT 1 FROM {table} WHERE log IS NULL OR size IS NULL LIMIT 1"):  # noqa: S608 constant
            raise Bad(f"{table} has a row without a log or a size")


def judge_retention(database: Database, cutoff_ms: int) -> None:
    """Refuse a cut-off below which events may be deleted, but of which no integrated audit.prune tells.

    Raises:
        Bad: there is one.
    """
    ((stored,),) = database.rows("SELECT CAST(max(cutoff) AS text) FROM audit_retention")
    cutoff = moment_of(stored, "a cut-off in audit_retention")
    if cutoff and cutoff.timestamp() * 1000 > cutoff_ms + 1:
        raise Bad("audit_retention lets events be deleted of which no integrated audit.prune tells")


def _judge_ends(database: Database, head: Head) -> None:
    beyond = database.rows(
        'SELECT "index", event FROM audit_entry WHERE log = %s AND "index" >= %s ORDER BY "index" LIMIT 1',
        head.log, head.size,
    )  # fmt: skip
    before = database.rows(
        'SELECT "index", event FROM audit_entry WHERE log = %s AND "index" < 0 ORDER BY "index" LIMIT 1',
        head.log,
    )
    for index, event in [*before, *beyond]:
        raise Bad(
            f"log {head.log}: an entry {index} ({printable(event)}) stands outside its {head.size} entries"
        )
    sizes = "SELECT min(size), max(size) FROM audit_checkpoint WHERE log = %s"
    ((least, most),) = database.rows(sizes, head.log)
    if least is not None and least < 1:
        raise Bad(f"log {head.log}: a stored checkpoint has {least} entries")
    if most is not None and most > head.size:
        raise Bad(f"it is missing: a stored checkpoint has {most} entries", index=head.size)


def _judge_nodes(database: Database, numbers: dict[int, Head]) -> None:
    found = database.rows(
        "SELECT log, level, count(*) FROM audit_node GROUP BY log, level ORDER BY log, level"
    )
    for log, level, count in found:
        size = numbers[log].size if log in numbers else 0
        # that those which should be there are there was seen with the entries
        if not 1 <= level <= MOST_LEVELS or count != size // TILE**level:
            raise Bad(f"log {log}: level {level} has nodes that its {size} entries have not")


def judge_waiting(database: Database, now_ms: int) -> int:
    """Judge the events without an entry; how many wait.

    Raises:
        Bad: one that waits in no queue for longer than the grace, or is not what it was; a queued one that is gone.
    """
    for (event,) in database.rows(
        "SELECT event FROM audit_pending WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.id = event)"
        " ORDER BY event LIMIT 1"
    ):
        raise Bad(f"event {printable(event)}: it waits for an entry, but is gone")
    for (event,) in database.rows(
        f"SELECT event FROM audit_pending p WHERE EXISTS ({_ENTRY}p.event) ORDER BY event LIMIT 1"  # noqa: S608
    ):
        raise Bad(f"event {printable(event)}: it has an entry, and waits for another")
    waiting = 0
    columns = ", ".join(f"e.{name}" for name in EVENT)
    own_columns = ", ".join(f'o."{name}"' for name in PERSONAL)
    queued = "CASE WHEN p.event IS NULL THEN '' ELSE 'queued' END"
    for row in database.text_rows(
        f"SELECT {columns}, {own_columns}, {queued} FROM audit_event e"  # noqa: S608 constants
        " LEFT JOIN audit_personaldata o ON o.event = e.id LEFT JOIN audit_pending p ON p.event = e.id"
        f" WHERE NOT EXISTS ({_ENTRY}e.id) ORDER BY e.id"
    ):
        _judge_waiting_event(database, row, now_ms)
        waiting += 1
    return waiting


def _judge_waiting_event(database: Database, row: list[str], now_ms: int) -> None:
    event, own, queued = row[: len(EVENT)], row[len(EVENT) : -1], row[-1]
    try:
        _, is_missing = rebuild(event, None if own[0] is None else own, database.spelling)
        age_seconds = abs(now_ms - milliseconds_of(event[0])) / 1000
    except Altered as error:
        raise Bad(f"event {printable(event[0])}, which has no entry yet: {error}") from None
    if is_missing:
        raise Bad(f"event {printable(event[0])}, which has no entry yet: its personal data is missing")
    if not queued and age_seconds > GRACE_SECONDS:
        raise Bad(f"event {printable(event[0])}: it has no entry, and does not wait for one")


def judge_orphans(database: Database) -> None:
    """Refuse personal data without its event.

    Raises:
        Bad: the first one.
    """
    for (event,) in database.rows(
        "SELECT event FROM audit_personaldata p WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE e.id = p.event)"
        " ORDER BY event LIMIT 1"
    ):
        raise Bad(f"event {printable(event)}: its personal data is there, but the event is not")


def judge_number(database: Database, integrated: int, waiting: int) -> None:
    """Refuse a second entry of one event, which only an altered table can have.

    Raises:
        Bad: there are more or fewer events than entries that have theirs, and events that wait.
    """
    ((events,),) = database.rows("SELECT count(*) FROM audit_event")
    if events != integrated + waiting:
        raise Bad(f"{events} events stand against {integrated} in entries and {waiting} that wait")
