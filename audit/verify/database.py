"""A log in a database, read in one snapshot: what is written meanwhile is not seen, and waits for nothing."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from audit.verify.faults import Bad, printable
from audit.verify.leaves import EVENT, PERSONAL, Altered, Columns, Spelling
from audit.verify.store import Covering, Entry, Head, Store, Stored, is_hash, moment_of

EVENT_COLUMNS: Final = ", ".join(EVENT)
PERSONAL_COLUMNS: Final = ", ".join(f'"{name}"' for name in PERSONAL)
COVERING: Final = "('audit.erase', 'audit.prune')"
BATCH: Final = 1_000


class Database(Store):
    """What both databases share. Statements have %s for values."""

    spelling: Spelling

    @abstractmethod
    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement that gives few."""

    @abstractmethod
    def stream(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement that may give many."""

    @abstractmethod
    def text_rows(self, statement: str, *values: Any) -> Iterator[list[Any]]:
        """Rows of text, as the store spells it."""

    def heads(self) -> list[Head]:
        """The logs, by number."""
        found = self.rows(
            "SELECT id, origin, size, root, CAST(started_at AS text), CAST(ended_at AS text)"
            " FROM audit_log ORDER BY id"
        )
        heads = []
        for log, origin, size, root, started, ended in found:
            if not is_hash(as_bytes(root)) or not isinstance(size, int):
                raise Bad(f"log {log}: its head is no size and root")
            times = (moment_of(started, "the start of a log"), moment_of(ended, "the end of a log"))
            heads.append(Head(log, str(origin), size, as_bytes(root), *times))
        return heads

    def entries(self, log: int, first: int, last: int) -> list[Entry]:
        """The entries with first <= index < last, by index."""
        found = self.rows(
            'SELECT "index", event, leaf_hash FROM audit_entry'
            ' WHERE log = %s AND "index" >= %s AND "index" < %s ORDER BY "index"',
            log, first, last,
        )  # fmt: skip
        return [(index, event, as_bytes(leaf_hash)) for index, event, leaf_hash in found]

    def events(self, log: int, entries: Sequence[Entry]) -> dict[str, Columns | Altered]:
        """The events of these entries, by id; those that are gone are left out."""
        return {**self._by_key("audit_event", "id", EVENT_COLUMNS, entries)}

    def personal(self, log: int, entries: Sequence[Entry]) -> dict[str, Columns]:
        """The personal data of these entries' events, by id."""
        return self._by_key("audit_personaldata", "event", PERSONAL_COLUMNS, entries)

    @abstractmethod
    def _by_key(self, table: str, key: str, columns: str, entries: Sequence[Entry]) -> dict[str, Columns]:
        """Rows by their key, whose values are the events of these entries."""

    def nodes(self, log: int, level: int, first: int, last: int) -> dict[int, bytes]:
        """The nodes of a level with first <= index < last, by index."""
        found = self.rows(
            'SELECT "index", hash FROM audit_node'
            ' WHERE log = %s AND level = %s AND "index" >= %s AND "index" < %s',
            log, level, first, last,
        )  # fmt: skip
        return {index: as_bytes(stored) for index, stored in found}

    def checkpoints(self, log: int, above: int, upto: int) -> list[Stored]:
        """The stored checkpoints with above < size <= upto, by size."""
        where = "WHERE log = %s AND size > %s AND size <= %s ORDER BY size"
        cosigned: dict[int, list[tuple[str, str]]] = {}
        lines = f"SELECT size, witness, line FROM audit_cosignature {where}"  # noqa: S608 constant
        for size, witness, line in self.rows(lines, log, above, upto):
            cosigned.setdefault(size, []).append((str(witness), str(line)))
        found = self.rows(f"SELECT size, root, note FROM audit_checkpoint {where}", log, above, upto)  # noqa: S608
        return [
            Stored(size, as_bytes(root), str(note), tuple(cosigned.get(size, ())))
            for size, root, note in found
        ]

    def newest_checkpoint(self, log: int) -> int:
        """The size of the newest stored checkpoint; 0: there is none."""
        ((size,),) = self.rows("SELECT max(size) FROM audit_checkpoint WHERE log = %s", log)
        return int(size or 0)

    def covering(self) -> Iterator[Covering]:
        """Every integrated audit.erase and audit.prune."""
        after = ""
        columns = ", ".join(f"e.{name}" for name in EVENT)
        while True:
            found = list(
                self.text_rows(
                    f"SELECT {columns} FROM audit_event e WHERE e.type IN {COVERING}"  # noqa: S608 constants
                    f" AND e.id > %s ORDER BY e.id LIMIT {BATCH}",
                    after,
                )
            )
            for event in found:
                places = self.rows(
                    "SELECT n.leaf_hash FROM audit_entry n JOIN audit_log l ON l.id = n.log"
                    ' WHERE n.event = %s AND n."index" < l.size', event[0],
                )  # fmt: skip
                if places:
                    yield Covering(as_bytes(places[0][0]), event)
            if len(found) < BATCH:
                return
            after = found[-1][0]


def by_key(table: str, rows: Iterable[list[Any]]) -> dict[str, Columns]:
    """Rows by their first column.

    Raises:
        Bad: two have the same, and a reader may show either.
    """
    found: dict[str, Columns] = {}
    for row in list(rows):  # to their end: whoever raises must leave no statement half read
        if row[0] in found:
            raise Bad(f"event {printable(row[0])}: {table} has two rows of it")
        found[row[0]] = row
    return found


def as_bytes(value: Any) -> bytes:
    """What a database gives for bytes; empty for anything else."""
    return bytes(value) if isinstance(value, bytes | memoryview | bytearray) else b""
