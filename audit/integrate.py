"""The integrator: gives pending events their places in the tree, batch by batch.

Any number of integrators may run; one of them wins each batch. Entries, nodes and the new head commit together by
compare-and-swap on the old size and root, so that one who was stopped between any two statements and wakes later
changes nothing. What is committed is a chain of heads, each continuing the one before; only such a head is ever signed.

Taken are the events in `audit_pending`: neither ids nor times follow the order of commits, so there is no cursor that
an event could have slipped behind. `adopt_stray` finds events that are neither pending nor integrated.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction

from audit import merkle
from audit.append import append
from audit.leaf import leaf_of
from audit.merkle import Edge
from audit.queries import fetch_events, fetch_pending
from audit.records import NewEvent, Record
from audit.tree import Head, Torn, current_head, reader

BATCH: Final = 2_000
STRAY_WINDOW: Final = 20_000
WAITING: Final = "SELECT 1 FROM audit_pending LIMIT 1"
LOOKED_AT: Final = "SELECT id FROM audit_event WHERE id > %s ORDER BY id LIMIT %s"
# Of NOT EXISTS PostgreSQL would make a join here too, and read every entry for each window.
QUEUE_STRAY: Final = f"""
INSERT INTO audit_pending (event) SELECT id FROM ({LOOKED_AT}) AS looked
 WHERE (SELECT event FROM audit_entry WHERE event = id) IS NULL
   AND NOT EXISTS (SELECT 1 FROM audit_pending WHERE event = id)
ON CONFLICT DO NOTHING"""  # noqa: S608 constant
# A server that hears nothing from a stopped integrator for this long ends its transaction, and the others go on.
STOPPED_MILLISECONDS: Final = 5_000


class Integrator:
    """Integrates the current log; keeps its right edge in memory as long as nobody else moves the head."""

    def __init__(self, batch: int = BATCH) -> None:
        self._batch = batch
        self._head: Head | None = None
        self._edge = Edge()
        self._stray_after: str | None = ""

    @property
    def head(self) -> Head | None:
        """The head that the last batch made or found; None when it has to be read anew."""
        return self._head

    def integrate(self) -> int:
        """Integrate one batch of what is pending; how many events. 0 also where another one was faster.

        Raises:
            Torn: the stored tree contradicts its head. Nothing was changed.
        """
        head = self._load()
        # after the head: what another one integrates from here on moves the head, and the swap fails
        pending = fetch_pending(self._batch)
        if not pending:
            return 0
        done = self._write(head, pending)
        if not done:
            self._head = None
        return done

    def adopt_stray(self) -> bool:
        """Queue the events of one window that have no entry and are not queued; whether windows are left."""
        if self._stray_after is None:
            self._stray_after = ""
        reached = queue_stray(self._stray_after, STRAY_WINDOW)
        self._stray_after = reached
        return reached is not None

    def _load(self) -> Head:
        """The head, and the edge that belongs to it."""
        head = current_head()
        if head is None:
            raise Torn("no log has been started")
        if head != self._head:
            edge = merkle.load_edge(head.size, reader(head.log))
            if edge.root() != head.root:
                raise Torn(
                    f"log {head.log}: the stored hashes do not give the root of its {head.size} entries"
                )
            self._head, self._edge = head, edge
        return head

    def _write(self, head: Head, events: Sequence[Record]) -> int:
        self._head = None  # the edge moves now: only a commit makes it true
        leaves = [merkle.leaf_hash(leaf_of(event)) for event in events]
        nodes = [node for leaf in leaves for node in self._edge.append(leaf)]
        new = Head(head.log, head.origin, self._edge.size, self._edge.root())
        with transaction.atomic():
            end_when_stopped()
            if not swap_head(head, new):
                return 0
            ids = [event.id for event in events]
            insert_entries(head, ids, leaves)
            insert_nodes(head.log, nodes)
            unqueue(ids)
        self._head = new
        return len(events)


def start_log(origin: str, event: NewEvent, *, number: int) -> Head:
    """End the current log, if there is one, and begin log `number` with this event as its first entry.

    Call it in a transaction that holds the start-up lock.
    """
    (event_id,) = append(event)
    first = fetch_events([event_id])[0]
    leaf = merkle.leaf_hash(leaf_of(first))
    edge = Edge()
    edge.append(leaf)
    head = Head(number, origin, 1, edge.root())
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_log SET ended_at = %s WHERE ended_at IS NULL", [now])
        cursor.execute(
            "INSERT INTO audit_log (id, origin, size, root, started_at) VALUES (%s, %s, %s, %s, %s)",
            [number, origin, head.size, head.root, now],
        )
    insert_entries(Head(number, origin, 0, merkle.EMPTY_ROOT), [event_id], [leaf])
    unqueue([event_id])
    return head


def swap_head(old: Head, new: Head) -> bool:
    """Move a head; False when it is not (any longer) the old one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE audit_log SET size = %s, root = %s"
            " WHERE id = %s AND size = %s AND root = %s AND ended_at IS NULL",
            [new.size, new.root, old.log, old.size, old.root],
        )
        return bool(cursor.rowcount)


def end_when_stopped() -> None:
    """PostgreSQL: let the server end this transaction when this process is stopped within it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL idle_in_transaction_session_timeout = {STOPPED_MILLISECONDS};"
                f" SET LOCAL lock_timeout = {2 * STOPPED_MILLISECONDS}"
            )


def insert_entries(old: Head, events: Sequence[str], leaves: Sequence[bytes]) -> None:
    """The entries that follow a head."""
    rows = [
        (old.log, index, event, leaf)
        for index, (event, leaf) in enumerate(zip(events, leaves, strict=True), old.size)
    ]
    _insert(
        "audit_entry", ("log", '"index"', "event", "leaf_hash"), ("smallint", "bigint", "text", "bytea"), rows
    )


def insert_nodes(log: int, nodes: Sequence[tuple[int, int, bytes]]) -> None:
    """The subtrees that were completed."""
    rows = [(log, *node) for node in nodes]
    _insert(
        "audit_node", ("log", "level", '"index"', "hash"), ("smallint", "smallint", "bigint", "bytea"), rows
    )


def unqueue(events: Sequence[str]) -> None:
    """Take events that have an entry out of the queue."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DELETE FROM audit_pending WHERE event = ANY(%s)", [list(events)])
        else:
            cursor.executemany("DELETE FROM audit_pending WHERE event = %s", [(event,) for event in events])


def queue_stray(after: str, window: int) -> str | None:
    """Queue what has no entry and is not queued among the next events by id; the last id looked at, None at the end."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(id), count(*) FROM ({LOOKED_AT}) AS looked", [after, window])  # noqa: S608 constant
        reached, count = cursor.fetchone()
        cursor.execute(QUEUE_STRAY, [after, window])
    return reached if count == window else None


def _insert(
    table: str, columns: Sequence[str], kinds: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if not rows:
        return
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
            sql = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 constants
            cursor.execute(sql, [list(column) for column in zip(*rows, strict=True)])
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608 constants
