"""What may be missing: events before a prune's cut-off, and the personal data that an erasure names.

Only integrated events cover, and only while they give the leaf hash of their entry. The names of erased events stand in
a file that is gone when the judging ends, so that memory does not grow with them.
"""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.verify.canonical import parse
from audit.verify.leaves import Altered, milliseconds_of, rebuild
from audit.verify.store import Covering, Store
from audit.verify.tree import hash_leaf

Place = tuple[int, int]  # log, index


@dataclass(frozen=True, slots=True)
class Pruning:
    """What one audit.prune covers: events before a moment, among the first `entries` of log `log` or in one before."""

    before_ms: int
    log: int
    entries: int

    def covers(self, event_id: str, place: Place) -> bool:
        """Whether it covers the event of an entry."""
        return place < (self.log, self.entries) and milliseconds_of(event_id) < self.before_ms

    def includes(self, other: "Pruning") -> bool:
        """Whether it covers all that another one covers."""
        reaches = (other.log, other.entries) <= (self.log, self.entries)
        return reaches and other.before_ms <= self.before_ms


class Cover:
    """Answers whether something may be missing. It can be handed to other processes."""

    def __init__(self, path: Path, prunings: tuple[Pruning, ...]) -> None:
        self.path, self._prunings = path, prunings
        self._erased: sqlite3.Connection | None = None

    def __getstate__(self) -> tuple[Path, tuple[Pruning, ...]]:
        return self.path, self._prunings

    def __setstate__(self, state: tuple[Path, tuple[Pruning, ...]]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @property
    def cutoff_ms(self) -> int:
        """The latest moment before which anything may be gone; 0 for none."""
        return max((pruning.before_ms for pruning in self._prunings), default=0)

    def covers_event(self, event_id: str, place: Place) -> bool:
        """Whether the event of an entry may be gone, with its personal data."""
        return any(pruning.covers(event_id, place) for pruning in self._prunings)

    def covers_personal(self, event_id: str) -> bool:
        """Whether the personal data of an event may be gone while its body stands: no pruning leaves one so."""
        if self._erased is None:
            self._erased = sqlite3.connect(self.path, check_same_thread=False)
        return bool(self._erased.execute("SELECT 1 FROM erased WHERE event = ?", [event_id]).fetchone())

    def close(self) -> None:
        """Let go of the file."""
        if self._erased:
            self._erased.close()
            self._erased = None


@contextlib.contextmanager
def gather(store: Store) -> Iterator[Cover]:
    """Read every integrated audit.erase and audit.prune."""
    with tempfile.TemporaryDirectory(prefix="verify-log-") as directory:
        path = Path(directory) / "erased.sqlite3"
        prunings: list[Pruning] = []
        with contextlib.closing(sqlite3.connect(path)) as erased:
            erased.execute("CREATE TABLE erased (event TEXT PRIMARY KEY) WITHOUT ROWID")
            for found in store.covering():
                details = _details(found, store)
                told = Pruning(*(_integer(details.get(name)) for name in ("before_ms", "log", "entries")))
                if not any(known.includes(told) for known in prunings):
                    prunings = [known for known in prunings if not told.includes(known)] + [told]
                names = details.get("erased")
                rows = [(name,) for name in names if isinstance(name, str)] if isinstance(names, list) else []
                erased.executemany("INSERT OR IGNORE INTO erased VALUES (?)", rows)
            erased.commit()
        cover = Cover(path, tuple(prunings))
        try:
            yield cover
        finally:
            cover.close()


def _details(found: Covering, store: Store) -> dict[str, Any]:
    """The details of an event that gives the leaf hash of its entry; of another one nothing."""
    event = [*found.event]
    try:
        leaf, _ = rebuild(event, None, store.spelling)
    except Altered:
        return {}
    if hash_leaf(leaf) != found.leaf_hash:
        return {}
    told = parse(leaf)
    details = told["details"]
    if told["type"] == "audit.prune":
        return {name: details.get(name) for name in ("before_ms", "log", "entries")}
    return {"erased": details.get("erased")}


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
