"""Judges one log from its first entry to its head, by joining its ranges in order.

A checkpoint that is not met, or a node that is not its entries' hash, blames the entries since the last checkpoint that
was met: the first of them is named.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from audit.verify.cover import Cover
from audit.verify.faults import Bad
from audit.verify.notes import Checkpoint, VerifierKey
from audit.verify.ranges import RANGE, Found, Known, Mark, Task
from audit.verify.store import Head, Store
from audit.verify.tree import TILE_HEIGHT, Frontier, join

_DECLARED: Final = "the successor's checkpoint"
Judge = Callable[[Iterable[Task]], Iterator[Found]]  # in the order of the tasks


@dataclass(slots=True)
class Tally:
    """What was read of a log."""

    entries: int = 0
    events: int = 0
    opened: int = 0
    erased: int = 0
    pruned: int = 0
    checkpoints: int = 0
    newest_signed: int = 0
    cosigned: int = 0
    not_judged: int = 0
    restored: str = ""  # what an openly restored log lost
    met: list[Known] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Case:
    """A log, what is known of it from elsewhere, and what its successor declares to be its last known checkpoint."""

    head: Head
    keys: tuple[VerifierKey, ...]
    known: tuple[Known, ...] = ()
    declared: Checkpoint | None = None
    signers: int = 0  # of each checkpoint, where every key of the log is known

    def outside(self) -> tuple[Known, ...]:
        """All that is known from elsewhere."""
        declared = self.declared
        return (*self.known, *([Known(_DECLARED, declared.size, declared.root)] if declared else []))


class LogJudge:
    """One log under judgement. `begun` is the size that an earlier run reached, with the tree of it."""

    def __init__(self, store: Store, case: Case, begun: Frontier | None = None) -> None:
        self._store, self._case = store, case
        self._head = case.head
        self._frontier = Frontier(self._judge_node)
        for height, subtree in begun.parts() if begun else ():
            self._frontier.add(subtree, height)
        met = [
            one for one in case.known if 0 < one.size <= self._frontier.size
        ]  # else it would not go on from there
        self.tally = Tally(entries=self._frontier.size, met=met)
        self._good = {True: self._frontier.size, False: self._frontier.size}  # up to here; by: is it stored
        self._unmet: list[Known] = []

    def tasks(self, cover: Cover) -> Iterator[Task]:
        """The ranges that are left."""
        known = self._case.outside()
        for first in range(self._frontier.size, self._head.size, RANGE):
            last = min(first + RANGE, self._head.size)
            yield Task(self._head, first, last, cover, self._case.keys, known, self._case.signers)

    def take(self, found: Found) -> None:
        """Join the next range.

        Raises:
            Bad: it has a fault, or does not lead where a checkpoint says.
        """
        tally = self.tally
        for mark in found.marks:
            self._judge_mark(mark)
        if found.fault:
            raise self._narrowed(found)
        for height, subtree in found.parts:
            self._frontier.add(subtree, height)
        tally.entries = found.last
        tally.events += found.events
        tally.opened += found.opened
        tally.erased += found.erased
        tally.pruned += found.pruned
        tally.cosigned += found.cosigned
        tally.not_judged += found.not_judged

    def frontier(self) -> Frontier:
        """The tree so far."""
        return self._frontier

    def continued(self) -> list[Known]:
        """Of what is known from elsewhere that which the tree so far continues."""
        reached = [one for one in self._case.outside() if one.size <= self._frontier.size]
        return [one for one in reached if one not in self._unmet]

    def close(self) -> None:
        """Judge what is known of the whole log.

        Raises:
            Bad: head, length or restoration is not what it should be.
        """
        head, declared = self._head, self._case.declared
        if self._frontier.root() != head.root:
            raise self._other_root()
        lost = declared is not None and (
            declared.size > head.size or _DECLARED in [each.where for each in self._unmet]
        )
        if lost and declared:
            self.tally.restored = f"its successor holds a checkpoint of {declared.size} entries"
        for known in [*self._unmet, *(each for each in self._case.known if each.size > head.size)]:
            if known.where != _DECLARED and not (lost and declared and known.size <= declared.size):
                raise self._unlike(known)
            if known.size <= head.size:  # not only cut: what stands up to there is another history
                self.tally.restored += f"; {self._unlike(known).what}"

    def _judge_mark(self, mark: Mark) -> None:
        known = mark.checkpoint
        if join([each for _, each in self._frontier.parts()] + mark.peaks) == known.root:
            self._good[mark.is_stored] = max(self._good[mark.is_stored], mark.size)
            if mark.is_stored:
                self.tally.checkpoints += 1
                self.tally.newest_signed = mark.size
            elif known.where != _DECLARED:
                self.tally.met.append(known)
        elif self._case.declared and not mark.is_stored:
            self._unmet.append(known)  # judged when it is known whether the log was openly restored
        else:
            raise self._unlike(known, is_stored=mark.is_stored)

    def _unlike(self, known: Known, *, is_stored: bool = False) -> Bad:
        """A checkpoint that the log does not meet."""
        if known.size > self._head.size:
            what = f"the log ends before it, {known.where} has {known.size} entries"
            return Bad(f"it is missing: {what}", index=self._head.size)
        good = max(self._good.values()) if is_stored else self._good[False]
        first = min(good, known.size - 1)
        what = f"one of the entries {first} to {known.size - 1} is not the one that {known.where} was signed over"
        return Bad(what, index=first, event=self._event_at(first))

    def _other_root(self) -> Bad:
        first, last = max(self._good.values()), self._head.size - 1
        if first > last:
            return Bad(
                f"log {self._head.log}: the root of its head is not that of its entries: it was altered"
            )
        what = f"the head's root is not that of its entries: it, or one of the entries {first} to {last}, was altered"
        return Bad(what, index=first, event=self._event_at(first))

    def _narrowed(self, found: Found) -> Bad:
        fault = found.fault or Bad("")
        if found.fault_last < 0:
            return fault
        index = min(max(fault.index, *self._good.values()), found.fault_last)
        return Bad(fault.what, index=index, event=self._event_at(index))

    def _event_at(self, index: int) -> str:
        entries = self._store.entries(self._head.log, index, index + 1)
        return str(entries[0][1]) if entries else ""

    def _judge_node(self, level: int, index: int, subtree: bytes) -> None:
        """Nodes above the first level; those of the first are judged with their entries."""
        if level < 2 or self._store.nodes(self._head.log, level, index, index + 1).get(index) == subtree:
            return
        width = 1 << (TILE_HEIGHT * level)
        first, last = index * width, (index + 1) * width - 1
        raise Bad(
            f"the node over entries {first} to {last} is not their hash: it was altered",
            index=first,
            event=self._event_at(first),
        )
