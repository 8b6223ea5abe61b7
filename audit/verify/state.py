"""How far a judgement came, so that one that was interrupted can go on.

The file says of each log up to which size it was found good, the root of that size, and which checkpoints from outside
it was seen to continue. It is believed only where the stored nodes of now give that root and no other checkpoint from
outside lies below; events and personal data below that size are not read again.
"""

import base64
import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from audit.owned import create_owned
from audit.verify.ranges import RANGE, Known
from audit.verify.store import Head, Store
from audit.verify.tree import TILE, TILE_HEIGHT, Frontier

VERSION = 1


class State:
    """The state file; `path` None: nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._logs: dict[str, dict[str, Any]] = {}

    def load(self) -> bool:
        """Read what an interrupted run left; whether there is something."""
        if self._path is None:
            return False
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError, RecursionError):
            return False
        if not isinstance(found, dict) or found.get("version") != VERSION:
            return False
        logs = found.get("logs")
        self._logs = logs if isinstance(logs, dict) else {}
        return bool(self._logs)

    def begun(self, store: Store, head: Head, known: Iterable[Known] = ()) -> Frontier | None:
        """The tree of what was found good of a log; None where the log of now is another one, or where one of the
        `known` checkpoints is of a size within it and was not judged: its root is in no stored node.
        """
        told = self._logs.get(str(head.log))
        size = told.get("size") if isinstance(told, dict) else None
        if not isinstance(size, int) or size % RANGE or not 0 < size <= head.size or not told:
            return None
        frontier = load_frontier(store, head.log, size)
        if frontier is None or encode(frontier.root()) != told.get("root"):
            self._logs.pop(str(head.log))
            return None
        if {_mark(one) for one in known if 0 < one.size <= size} - set(_marks(told.get("met"))):
            return None
        return frontier

    def keep(self, log: int, frontier: Frontier, met: Iterable[Known] = ()) -> None:
        """Note how far a log was found good, and what it continues. The file is whole at any moment."""
        if self._path is None or frontier.size % RANGE or not frontier.size:
            return
        continued = sorted({_mark(one) for one in met})
        self._logs[str(log)] = {"size": frontier.size, "root": encode(frontier.root()), "met": continued}
        draft = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full or read-only disk costs the resuming, not the verdict
            draft.unlink(missing_ok=True)  # of a crash
            with os.fdopen(create_owned(draft), "w") as file:
                json.dump({"version": VERSION, "logs": self._logs}, file)
            draft.replace(self._path)

    def forget(self) -> None:
        """The judgement is complete: the next one begins anew. A place that takes no writing kept nothing."""
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def load_frontier(store: Store, log: int, size: int) -> Frontier | None:
    """The tree of the first `size` entries, a multiple of TILE, from the stored nodes; None where some are missing."""
    parts: list[tuple[int, bytes]] = []
    level, count = 1, size // TILE
    while count:
        width = count % TILE
        nodes = store.nodes(log, level, count - width, count)
        if len(nodes) != width:
            return None
        tile = Frontier()
        for index in sorted(nodes):
            tile.add(nodes[index])
        parts = [(height + TILE_HEIGHT * level, each) for height, each in tile.parts()] + parts
        level, count = level + 1, count // TILE
    return Frontier.of(parts)


def _mark(known: Known) -> str:
    return f"{known.size} {encode(known.root)}"


def _marks(told: Any) -> list[str]:
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def encode(root: bytes) -> str:
    """Base64 (RFC 4648 section 4)."""
    return base64.b64encode(root).decode()
