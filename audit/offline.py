"""Writes an export: all that a stranger needs to judge the log without the database, in the files of verify.layout.

It holds what the newest checkpoint of each log signs. Nothing is judged here: what was altered is exported as it is,
and found by who judges the export; what cannot even be told as a leaf stops it.
"""

import json
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.validation import rfc3339
from audit.verify import layout
from audit.verify.canonical import compact
from audit.verify.database import Database
from audit.verify.faults import Bad
from audit.verify.leaves import PERSONAL, Altered, Columns, rebuild
from audit.verify.ranges import RANGE
from audit.verify.store import Entry, Head, Stored
from audit.verify.tree import TILE, TILE_HEIGHT

Progress = Callable[[int, int], None]


class NotExported(Exception):
    """The export could not be written; nothing is left of it."""


def write_export(
    database: Database, directory: Path, vkeys: Sequence[str], on_progress: Progress
) -> list[Head]:
    """Write an export, whole or not at all; the logs as they are in it. Memory does not grow with the log.

    Raises:
        NotExported: the directory is there already, or a log has no signed checkpoint.
        Bad: an entry cannot be told as a leaf.
        OSError: it cannot be written.
    """
    demand_new(directory)
    draft = directory.with_name(f".{directory.name}.{os.getpid()}.part")
    draft.mkdir(mode=0o700, parents=True)
    try:
        heads = [_exported(database, head) for head in database.heads()]
        done, total = 0, sum(head.size for head in heads)
        for head in heads:
            writer = _LogWriter(database, head, layout.log_directory(draft, head.log))
            for count in writer.write():
                done += count
                on_progress(done, total)
        (draft / layout.VKEYS).write_text("".join(f"{each}\n" for each in vkeys))
        (draft / layout.MANIFEST).write_text(json.dumps(_manifest(database, heads), indent=2) + "\n")
        draft.rename(directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return heads


def demand_new(directory: Path) -> None:
    """Raises NotExported: it is there already."""
    if directory.exists():
        raise NotExported(f"{directory} is there already")


def _exported(database: Database, head: Head) -> Head:
    """A log up to its newest checkpoint."""
    size = database.newest_checkpoint(head.log)
    stored = database.checkpoints(head.log, size - 1, size)
    if not stored:
        raise NotExported(f"log {head.log} has no signed checkpoint yet")
    return Head(head.log, head.origin, size, stored[0].root)


def _manifest(database: Database, heads: Sequence[Head]) -> dict[str, Any]:
    ((queued,),) = database.rows("SELECT count(*) FROM audit_pending")
    unsigned = database.heads()[-1].size - heads[-1].size
    return {
        "format": layout.FORMAT,
        "version": layout.VERSION,
        "made_at": rfc3339(datetime.now(UTC)),
        "logs": [head.log for head in heads],
        "pending": queued + unsigned,
    }


class _LogWriter:
    def __init__(self, database: Database, head: Head, directory: Path) -> None:
        self._database, self._head, self._directory = database, head, directory

    def write(self) -> Any:
        """Write the log; yields how many entries each step wrote."""
        for first in range(0, self._head.size, RANGE):
            last = min(first + RANGE, self._head.size)
            self._write_entries(first, last)
            self._write_checkpoints(first, last)
            yield last - first
        self._write_nodes()

    def _write_entries(self, first: int, last: int) -> None:
        entries = self._database.entries(self._head.log, first, last)
        if len(entries) != last - first:
            raise Bad("an entry is missing", index=first)
        events = self._database.events(self._head.log, entries)
        personal = self._database.personal(self._head.log, entries)
        for start in range(0, len(entries), TILE):
            tile = entries[start : start + TILE]
            number = (first + start) // TILE
            told = [self._tell(entry, events.get(entry[1]), personal.get(entry[1])) for entry in tile]
            leaves = b"".join(struct.pack(">H", len(leaf)) + leaf for leaf, _ in told)
            size = self._head.size
            self._put(layout.tile_path("entries", number, size), leaves)
            self._put(layout.openings_path(number, size), "".join(line for _, line in told).encode())
            self._put(layout.tile_path(0, number, size), b"".join(leaf_hash for _, _, leaf_hash in tile))

    def _tell(self, entry: Entry, event: Columns | Altered | None, own: Columns | None) -> tuple[bytes, str]:
        """The leaf of an entry, and the line that opens it."""
        index, event_id, _ = entry
        if event is None:
            return b"", compact({"index": index, "event": event_id, "pruned": True}) + "\n"
        try:
            if isinstance(event, Altered):
                raise event
            leaf, _ = rebuild(event, own, self._database.spelling)
        except Altered as error:
            raise Bad(str(error), index=index, event=event_id) from None
        return leaf, compact({"index": index, "openings": _openings(own)}) + "\n" if own else ""

    def _write_checkpoints(self, first: int, last: int) -> None:
        stored = self._database.checkpoints(self._head.log, first, last)
        if stored and stored[-1].size == self._head.size:
            self._put("checkpoint", _whole(stored.pop()).encode())
        if stored:
            lines = "".join(compact(_whole(each)) + "\n" for each in stored)
            self._put(layout.checkpoints_path(first // RANGE), lines.encode())

    def _write_nodes(self) -> None:
        level, count = 1, self._head.size >> TILE_HEIGHT
        while count:
            for number in range((count + TILE - 1) // TILE):
                width = layout.width_of(number, count)
                nodes = self._database.nodes(self._head.log, level, number * TILE, number * TILE + width)
                if len(nodes) != width:
                    raise Bad(f"log {self._head.log}: nodes of level {level} are missing")
                hashes = b"".join(nodes[place] for place in sorted(nodes))
                self._put(layout.tile_path(level, number, self._head.size), hashes)
            level, count = level + 1, count >> TILE_HEIGHT

    def _put(self, name: str, content: bytes) -> None:
        path = self._directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _whole(stored: Stored) -> str:
    """A checkpoint with its cosignatures."""
    return stored.note + "".join(line for _, line in stored.cosignatures)


def _openings(own: Columns) -> dict[str, dict[str, str]]:
    """Value and salt by name."""
    values = {name: value for name, value in zip(PERSONAL[1:6], own[1:6], strict=True) if value}
    values |= {f"text.{name}": value for name, value in json.loads(own[6]).items()}
    salts = json.loads(own[7])
    return {name: {"salt": salts[name], "value": value} for name, value in values.items()}
