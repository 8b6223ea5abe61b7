"""Judges a range of entries: each with its event and personal data, then the tiles above them.

Ranges are full subtrees, so that they can be judged in any order by any number of processes and joined afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.verify.cover import Cover
from audit.verify.faults import Bad, printable
from audit.verify.leaves import Altered, Columns, rebuild
from audit.verify.notes import (
    NotSigned,
    VerifierKey,
    count_unknown,
    parse_note,
    read_checkpoint,
    verify_cosignature,
)
from audit.verify.store import Entry, Head, Store, Stored, is_hash
from audit.verify.tree import TILE, TILE_HEIGHT, Frontier, fold_full, hash_leaf

RANGE = 1 << 14  # entries


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint from elsewhere: where it was kept, and what it says."""

    where: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Task:
    """A range of one log, `first` a multiple of RANGE, and what is known of it from elsewhere."""

    head: Head
    first: int
    last: int
    cover: Cover
    keys: tuple[VerifierKey, ...]
    known: tuple[Known, ...] = ()
    signers: int = 0  # of each checkpoint, where every key of the log is known


@dataclass(slots=True)
class Mark:
    """The subtrees within a range up to a size that a checkpoint speaks of."""

    size: int
    peaks: list[bytes]
    checkpoint: Known
    is_stored: bool


@dataclass(slots=True)
class Found:
    """What a range is made of: its full subtrees, what checkpoints need, what was counted, the first fault.

    `fault_last` is beyond the fault's index where one of several entries is to blame.
    """

    first: int
    last: int
    parts: list[tuple[int, bytes]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    events: int = 0
    opened: int = 0
    erased: int = 0
    cosigned: int = 0
    not_judged: int = 0  # signatures of keys that were not given
    fault: Bad | None = None
    fault_last: int = -1

    @property
    def pruned(self) -> int:
        """How many entries have no event any longer."""
        return self.last - self.first - self.events


def judge_range(store: Store, task: Task) -> Found:
    """Read and judge one range; it ends at the first fault."""
    found = Found(task.first, task.last)
    frontier = Frontier()
    try:
        stored = store.checkpoints(task.head.log, task.first, task.last)
        known = [
            (checkpoint, False) for checkpoint in task.known if task.first < checkpoint.size <= task.last
        ]
        wanted = [(_read_stored(each, task, found), True) for each in stored] + known
        _judge_entries(store, task, found, frontier, sorted(wanted, key=lambda each: each[0].size))
    except Bad as fault:
        found.fault = fault
    found.parts = frontier.parts()
    return found


def _judge_entries(
    store: Store, task: Task, found: Found, frontier: Frontier, wanted: list[tuple[Known, bool]]
) -> None:
    entries = store.entries(task.head.log, task.first, task.last)
    named = [entry for entry in entries if isinstance(entry[1], str)]
    events, personal = store.events(task.head.log, named), store.personal(task.head.log, named)
    seen: set[str] = set()
    nodes = store.nodes(task.head.log, 1, task.first // TILE, task.last // TILE)
    for start in range(task.first, task.last, TILE):
        width = min(TILE, task.last - start)
        at = start - task.first
        hashes = _judge_tile(
            store, task, found, entries[at : at + width], events, personal, seen, start, width
        )
        while wanted and wanted[0][0].size <= start + width:
            checkpoint, is_stored = wanted.pop(0)
            peaks = frontier.peaks_with(hashes[: checkpoint.size - start])
            found.marks.append(Mark(checkpoint.size, peaks, checkpoint, is_stored))
        if width == TILE:
            _add_tile(found, frontier, hashes, nodes.get(start // TILE), start)
        else:
            for each in hashes:
                frontier.add(each)


def _judge_tile(
    store: Store,
    task: Task,
    found: Found,
    entries: Sequence[Entry],
    events: dict[str, Columns | Altered],
    personal: dict[str, Columns],
    seen: set[str],
    start: int,
    width: int,
) -> list[bytes]:
    """The leaf hashes of a tile whose entries are all there, in order, and as they were."""
    hashes: list[bytes] = []
    for position, (index, event_id, leaf_hash) in enumerate(entries, start):
        if index != position:
            raise Bad("it is missing" if index > position else "its index stands twice", index=position)
        if not isinstance(event_id, str):
            raise Bad("it names no event", index=index)
        if not is_hash(leaf_hash):
            raise Bad("its leaf hash is no hash", index=index, event=event_id)
        try:
            if event_id in seen:
                raise Altered("its event has an entry already")
            seen.add(event_id)
            _judge_entry(
                store, task, found, (event_id, index), leaf_hash, events.get(event_id), personal.get(event_id)
            )
        except Altered as error:
            raise Bad(str(error), index=index, event=str(event_id)) from None
        hashes.append(leaf_hash)
    if len(hashes) < width:
        raise Bad("it is missing", index=start + len(hashes))
    return hashes


def _judge_entry(
    store: Store,
    task: Task,
    found: Found,
    entry: tuple[str, int],
    leaf_hash: bytes,
    event: Columns | Altered | None,
    own: Columns | None,
) -> None:
    event_id, place = entry[0], (task.head.log, entry[1])
    if event is None:
        if not task.cover.covers_event(event_id, place):
            raise Altered("its event is missing, and no integrated audit.prune covers it")
        if own is not None:
            raise Altered("its event was pruned, but its personal data is there")
        return
    if isinstance(event, Altered):
        raise event
    leaf, is_missing = rebuild(event, own, store.spelling)
    if hash_leaf(leaf) != leaf_hash:
        raise Altered("its event does not give its leaf hash: one of the two was altered")
    found.events += 1
    if is_missing:
        if not task.cover.covers_personal(event_id):
            raise Altered("its personal data is missing, and no integrated audit.erase covers it")
        found.erased += 1
    elif own is not None:
        found.opened += 1


def _add_tile(
    found: Found, frontier: Frontier, hashes: Sequence[bytes], node: bytes | None, start: int
) -> None:
    tile = fold_full(hashes)
    if node != tile:
        found.fault_last = start + TILE - 1
        missing = "is missing" if node is None else "is not their hash"
        raise Bad(
            f"the node over entries {start} to {found.fault_last} {missing}: it or one of them was altered",
            index=start,
        )
    frontier.add(tile, TILE_HEIGHT)


def _read_stored(stored: Stored, task: Task, found: Found) -> Known:
    """A stored checkpoint whose columns say what its signed text says, under which only signatures stand.

    Raises:
        Bad: they do not, nobody whom we trust signed it, or a line is none of those that belong there.
    """
    where = f"the stored checkpoint of {stored.size} entries"
    try:
        checkpoint = read_checkpoint(stored.note, task.keys)
        found.not_judged += count_unknown(stored.note, task.keys, task.signers)
        text = parse_note(stored.note).text
        cosigned = set()  # in an export a witness's line may stand twice
        for witness, line in stored.cosignatures:
            if not line.startswith(f"\u2014 {witness} "):
                raise NotSigned(f"a cosignature of {printable(witness)} bears another name")
            if line.find("\n") != len(line) - 1:
                raise NotSigned(f"the cosignature of {printable(witness)} is not one line")
            if verify_cosignature(line, text, [key for key in task.keys if key.name == witness]):
                cosigned.add(witness)
            else:
                found.not_judged += 1
        found.cosigned += len(cosigned)
    except NotSigned as error:
        raise Bad(f"log {task.head.log}: {where}: {error}") from None
    told = (checkpoint.origin, checkpoint.size, checkpoint.root)
    if told != (task.head.origin, stored.size, stored.root):
        raise Bad(f"log {task.head.log}: {where} does not say what its columns say")
    return Known(where, stored.size, stored.root)
