"""Where a log is read from: one consistent view of a database, or an export. Everything comes as it is stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from audit.verify.faults import Bad
from audit.verify.leaves import Altered, Columns, Spelling

Entry = tuple[int, str, bytes]  # index, event, leaf hash


@dataclass(frozen=True, slots=True)
class Head:
    """A log as the store tells of it. Times are those of its row; None: not told."""

    log: int
    origin: str
    size: int
    root: bytes
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored checkpoint: its columns, and the cosignatures under it, which `note` has not, as (witness, line)."""

    size: int
    root: bytes
    note: str
    cosignatures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Covering:
    """An integrated audit.erase or audit.prune, not yet judged."""

    leaf_hash: bytes
    event: Columns


class Store(Protocol):
    """What is judged. All methods read one and the same state, however often they are called."""

    spelling: Spelling

    def heads(self) -> list[Head]:
        """The logs, by number."""

    def entries(self, log: int, first: int, last: int) -> list[Entry]:
        """The entries with first <= index < last, by index."""

    def events(self, log: int, entries: Sequence[Entry]) -> dict[str, Columns | Altered]:
        """The events of these entries, by id; those that are gone are left out. Altered: it cannot even be told."""

    def personal(self, log: int, entries: Sequence[Entry]) -> dict[str, Columns]:
        """The personal data of these entries' events, by id."""

    def nodes(self, log: int, level: int, first: int, last: int) -> dict[int, bytes]:
        """The nodes of a level with first <= index < last, by index."""

    def checkpoints(self, log: int, above: int, upto: int) -> list[Stored]:
        """The stored checkpoints with above < size <= upto, by size."""

    def newest_checkpoint(self, log: int) -> int:
        """The size of the newest stored checkpoint; 0: there is none."""

    def covering(self) -> Iterator[Covering]:
        """Every integrated audit.erase and audit.prune."""

    def close(self) -> None:
        """Let go of what was opened."""


def is_hash(value: Any) -> bool:
    """Whether this is the bytes of a SHA-256 hash."""
    return isinstance(value, bytes) and len(value) == 32


def moment_of(value: Any, what: str) -> datetime | None:
    """A stored time as the store spells it, in UTC: PostgreSQL has times that Python has not.

    Raises:
        Bad: it is none.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Bad(f"{what} is no time") from None
