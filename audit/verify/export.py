"""A log in an export: no database, no service. What a checkpoint signed is all there, in the files of `layout`."""

import json
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final

from audit.verify import layout
from audit.verify.canonical import compact, parse, unique
from audit.verify.faults import Bad, printable
from audit.verify.leaves import EVENT, EXPORT, PERSONAL, Altered, Columns, Spelling
from audit.verify.notes import COSIGNATURE_BYTES, NotSigned, parse_checkpoint, parse_note
from audit.verify.ranges import RANGE
from audit.verify.store import Covering, Entry, Head, Store, Stored
from audit.verify.tree import HASH_BYTES, TILE, TILE_HEIGHT, hash_leaf

_COVERING: Final = (b'"type":"audit.erase"', b'"type":"audit.prune"')
_CACHED: Final = RANGE // TILE + 1
Bundle = list[tuple[bytes, bytes]]  # leaf, empty where it was pruned, and leaf hash
Openings = dict[int, dict[str, Any]]  # by index


class Export(Store):
    """An export's directory.

    Raises:
        Bad: it is none, or a file is missing or malformed.
        OSError: a file cannot be read, which says nothing of the log.
    """

    spelling: Spelling = EXPORT

    def __init__(self, directory: Path) -> None:
        self._root = directory
        self._numbers, self.pending = self._manifest()
        self._heads = {log: self._head(log) for log in self._numbers}
        self._bundle = lru_cache(_CACHED)(self._read_bundle)
        self._openings = lru_cache(_CACHED)(self._read_openings)

    def close(self) -> None:
        """Nothing is open."""

    def heads(self) -> list[Head]:
        """The logs, by number: a head is what the newest checkpoint says."""
        return [self._heads[log] for log in self._numbers]

    def entries(self, log: int, first: int, last: int) -> list[Entry]:
        """The entries with first <= index < last, by index."""
        found = []
        for index in range(first, min(last, self._heads[log].size)):
            leaf, leaf_hash = self._bundle(log, index // TILE)[index % TILE]
            found.append((index, self._event_id(log, index, leaf), leaf_hash))
        return found

    def events(self, log: int, entries: Sequence[Entry]) -> dict[str, Columns | Altered]:
        """The events of these entries, by id; those that are gone are left out. Altered: it cannot even be told."""
        found: dict[str, Columns | Altered] = {}
        for index, event_id, leaf_hash in entries:
            leaf, _ = self._bundle(log, index // TILE)[index % TILE]
            if leaf:
                found[event_id] = _columns(leaf, leaf_hash)
        return found

    def personal(self, log: int, entries: Sequence[Entry]) -> dict[str, Columns]:
        """The personal data of these entries' events, by id, as columns."""
        found = {}
        for index, event_id, _ in entries:
            line = self._openings(log, index // TILE).get(index)
            if line and "openings" in line:
                found[event_id] = _personal(event_id, line["openings"])
        return found

    def nodes(self, log: int, level: int, first: int, last: int) -> dict[int, bytes]:
        """The nodes of a level with first <= index < last, by index."""
        count = min(last, self._heads[log].size >> (TILE_HEIGHT * level))
        return {
            place: node
            for number in range(first // TILE, (count + TILE - 1) // TILE)
            for place, node in enumerate(self._hashes(log, level, number), number * TILE)
            if first <= place < last
        }

    def checkpoints(self, log: int, above: int, upto: int) -> list[Stored]:
        """The exported checkpoints with above < size <= upto, by size; the newest one among them."""
        head = self._heads[log]
        notes = [self._text(log, "checkpoint")] if above < head.size <= upto else []
        for number in range(above // RANGE, (upto - 1) // RANGE + 1):
            name = layout.checkpoints_path(number)
            if self._path(log, name).exists():
                notes += self._lines(log, name)
        found = [_stored(note) for note in notes]
        return sorted((each for each in found if above < each.size <= upto), key=lambda each: each.size)

    def newest_checkpoint(self, log: int) -> int:
        """The size of the newest checkpoint: all that was exported."""
        return self._heads[log].size

    def covering(self) -> Iterator[Covering]:
        """Every audit.erase and audit.prune among the leaves."""
        for head in self.heads():
            for number in range((head.size + TILE - 1) // TILE):
                path = self._path(head.log, layout.tile_path("entries", number, head.size))
                raw = self._bytes(path)
                if not any(each in raw for each in _COVERING):
                    continue
                for leaf, leaf_hash in self._bundle(head.log, number):
                    columns = _columns(leaf, leaf_hash) if any(each in leaf for each in _COVERING) else None
                    if columns is not None and not isinstance(columns, Altered):
                        yield Covering(leaf_hash, columns)

    def _lines(self, log: int, name: str) -> list[Any]:
        try:
            return [parse(line) for line in self._text(log, name).split("\n") if line]
        except ValueError:
            raise Bad(f"log {log}: the file {name} has a malformed line") from None

    def _manifest(self) -> tuple[list[int], int]:
        raw = self._bytes(self._root / layout.MANIFEST)
        try:
            told = json.loads(raw)
            logs, pending = list(told["logs"]), told["pending"]
            if (told["format"], told["version"]) != (layout.FORMAT, layout.VERSION):
                raise ValueError("another format")
            if any(each.__class__ is not int for each in (pending, *logs)) or pending < 0:
                raise ValueError("no numbers")
            return logs, pending
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Bad(f"{self._root} is no export of version {layout.VERSION}") from None

    def _head(self, log: int) -> Head:
        try:
            told = parse_checkpoint(parse_note(self._text(log, "checkpoint")).text)
        except NotSigned as error:
            raise Bad(f"log {log}: the newest checkpoint: {error}") from None
        return Head(log, told.origin, told.size, told.root)

    def _path(self, log: int, name: str) -> Path:
        return layout.log_directory(self._root, log) / name

    def _text(self, log: int, name: str) -> str:
        try:
            return self._bytes(self._path(log, name)).decode()
        except UnicodeDecodeError:
            raise Bad(f"log {log}: the file {name} is no text") from None

    def _bytes(self, path: Path) -> bytes:
        name = path.relative_to(self._root)
        try:
            found = path.stat()
            # a pipe that nobody writes to would be read for ever, a device fill all memory
            if not S_ISREG(found.st_mode) or found.st_size > layout.MAX_FILE_BYTES:
                raise Bad(f"the file {name} of the export is no file, or longer than one can be")
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            self._root.stat()  # without a directory nothing was judged
            raise Bad(f"the file {name} is missing from the export") from None

    def _hashes(self, log: int, level: int, number: int) -> list[bytes]:
        size = self._heads[log].size
        name = layout.tile_path(level, number, size)
        raw = self._bytes(self._path(log, name))
        if len(raw) != HASH_BYTES * layout.width_of(number, size >> (TILE_HEIGHT * level)):
            raise Bad(f"log {log}: the file {name} has not the length of its tile")
        return [raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)]

    def _read_bundle(self, log: int, number: int) -> Bundle:
        name = layout.tile_path("entries", number, self._heads[log].size)
        raw, at, leaves = self._bytes(self._path(log, name)), 0, []
        hashes = self._hashes(log, 0, number)
        while at + 2 <= len(raw):
            (length,) = struct.unpack_from(">H", raw, at)
            leaves.append(raw[at + 2 : at + 2 + length])
            at += 2 + length
        if at != len(raw) or len(leaves) != len(hashes):
            raise Bad(f"log {log}: the file {name} does not hold {len(hashes)} entries")
        return list(zip(leaves, hashes, strict=True))

    def _read_openings(self, log: int, number: int) -> Openings:
        name = layout.openings_path(number, self._heads[log].size)
        leaves = dict(enumerate((leaf for leaf, _ in self._bundle(log, number)), number * TILE))
        found: Openings = {}
        for line in filter(None, self._text(log, name).split("\n")):  # text may hold other line ends
            try:
                told = parse(line)
                json.loads(line, object_pairs_hook=unique)
                if told["index"] in found or not _is_line(told, leaves[told["index"]]):
                    raise ValueError("a second one, or none of this entry")
                found[told["index"]] = told
            except (ValueError, TypeError, KeyError, AttributeError):
                raise Bad(f"log {log}: the file {name} has a malformed line") from None
        return found

    def _event_id(self, log: int, index: int, leaf: bytes) -> str:
        if not leaf:
            return str(self._openings(log, index // TILE).get(index, {}).get("event", ""))
        try:
            told = parse(leaf)
        except ValueError:
            return ""
        return printable(told.get("id", "")) if isinstance(told, dict) else ""


def _is_line(told: dict[str, Any], leaf: bytes) -> bool:
    """Whether it is what export_log writes beside this leaf, and no more: nothing else in it is judged."""
    if told["index"].__class__ is not int:
        return False
    if not leaf:
        return told.keys() == {"index", "event", "pruned"} and told["pruned"] is True
    openings = told["openings"].values()
    return told.keys() == {"index", "openings"} and all(each.keys() == {"salt", "value"} for each in openings)


def _columns(leaf: bytes, leaf_hash: bytes) -> Columns | Altered:
    """A leaf as the columns it was made of."""
    if hash_leaf(leaf) != leaf_hash:
        return Altered("its leaf does not give its leaf hash: one of the two was altered")
    try:
        told = parse(leaf)
    except ValueError as error:
        return Altered(f"its leaf is no JSON of a leaf: {error}")
    if not isinstance(told, dict) or told.keys() != {*EVENT, "v"} or told["v"] != 1:
        return Altered("its leaf is none of version 1")
    return [compact(told[name]) if name in ("details", "commitments") else told[name] for name in EVENT]


def _personal(event_id: str, openings: Any) -> Columns:
    """Openings as the columns they were made of."""
    if not isinstance(openings, dict) or not all(isinstance(each, dict) for each in openings.values()):
        return [None] * len(PERSONAL)
    values = {name: each.get("value") for name, each in openings.items()}
    salts = {name: each.get("salt") for name, each in openings.items()}
    text = {name.partition(".")[2]: value for name, value in values.items() if name.startswith("text.")}
    return [event_id, *(values.get(name, "") for name in PERSONAL[1:6]), compact(text), compact(salts)]


def _stored(raw: Any) -> Stored:
    """An exported checkpoint, where cosignatures are lines of the note like any other."""
    try:
        note = parse_note(str(raw))
        checkpoint = parse_checkpoint(note.text)
    except NotSigned as error:
        raise Bad(f"an exported checkpoint: {error}") from None
    own, cosigned = f"{note.text}\n", []
    for (name, _, signature), line in zip(
        note.signatures, str(raw)[len(own) :].splitlines(keepends=True), strict=True
    ):
        if len(signature) == COSIGNATURE_BYTES:
            cosigned.append((name, line))
        else:
            own += line
    return Stored(checkpoint.size, checkpoint.root, own, tuple(cosigned))
