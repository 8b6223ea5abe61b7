"""What may be missing: events before a prune's cut-off, and the personal data that an erasure names.

Only integrated events cover, and only while they give the leaf hash of their entry. The names of erased events stand in
a file that is gone when the judging ends, so that memory does not grow with them.
"""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit.verify.canonical import parse
from audit.verify.leaves import Altered, milliseconds_of, rebuild
from audit.verify.store import Covering, Store
from audit.verify.tree import hash_leaf


class Cover:
    """Answers whether something may be missing. It can be handed to other processes."""

    def __init__(self, path: Path, cutoff_ms: int) -> None:
        self.path, self.cutoff_ms = path, cutoff_ms
        self._erased: sqlite3.Connection | None = None

    def __getstate__(self) -> tuple[Path, int]:
        return self.path, self.cutoff_ms

    def __setstate__(self, state: tuple[Path, int]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def covers_event(self, event_id: str) -> bool:
        """Whether an event may be gone, with its personal data."""
        return milliseconds_of(event_id) < self.cutoff_ms

    def covers_personal(self, event_id: str) -> bool:
        """Whether an event's personal data may be gone."""
        if self.covers_event(event_id):
            return True
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
        cutoff = 0
        with contextlib.closing(sqlite3.connect(path)) as erased:
            erased.execute("CREATE TABLE erased (event TEXT PRIMARY KEY) WITHOUT ROWID")
            for found in store.covering():
                details = _details(found, store)
                cutoff = max(cutoff, _integer(details.get("before_ms")))
                names = details.get("erased")
                rows = [(name,) for name in names if isinstance(name, str)] if isinstance(names, list) else []
                erased.executemany("INSERT OR IGNORE INTO erased VALUES (?)", rows)
            erased.commit()
        cover = Cover(path, cutoff)
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
        return {"before_ms": details.get("before_ms")}
    return {"erased": details.get("erased")}


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
