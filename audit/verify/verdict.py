"""The whole judgement: every log, what was kept elsewhere, how the logs follow each other, and what is beside them.

for line in judge(…): what was checked, then `ok: …` as the last line
Bad: the first fault
"""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from audit.verify import cover as covers
from audit.verify import loose, workers
from audit.verify.canonical import parse
from audit.verify.cover import Cover
from audit.verify.database import Database
from audit.verify.faults import Bad, printable
from audit.verify.leaves import Altered, milliseconds_of, rebuild
from audit.verify.logs import Case, Judge, LogJudge, Tally
from audit.verify.notes import (
    ED25519,
    Checkpoint,
    NotSigned,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    read_checkpoint,
)
from audit.verify.ranges import RANGE, Known
from audit.verify.state import State
from audit.verify.store import Head, Store
from audit.verify.workers import Opener

ODD: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # what odd values end in
SIGNERS: Final = 2  # of each checkpoint: the active key of the ring and the next one
START_SECONDS: Final = 60  # between the start of a log and its first event
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outside:
    """A signed checkpoint that was kept outside what is judged."""

    where: str
    note: str


@dataclass(frozen=True)
class Question:
    """What to judge by: trusted keys, what was kept elsewhere, how many processes, where to go on.

    `ring` gives raw Ed25519 keys that vouch for every log under its own name: all that ever signed one. It is asked
    when the state of the log is held, which then has no signature of a key that was made later.
    """

    keys: Sequence[VerifierKey] = ()
    ring: Callable[[], Sequence[bytes]] = tuple
    outside: Sequence[Outside] = ()
    processes: int = 1
    resume: bool = False
    state: State = field(default_factory=lambda: State(None))
    on_progress: Callable[[int, int], None] = lambda done, total: None
    now_ms: Callable[[], int] = lambda: int(time.time() * 1000)


def judge(opener: Opener, question: Question, say: Say) -> str:
    """Read everything, `say` what was checked, and return the line `ok: …`.

    Raises:
        Bad: the first fault.
    """
    store = opener()
    try:
        return _Judgement(store, _shared(opener, store), question, say).run()
    except ODD as error:  # what our own code writes is always of its type
        raise Bad(f"what stands in a column or file is not of its kind ({error}): it was altered") from error
    finally:
        store.close()


def _shared(opener: Opener, store: Store) -> Opener:
    """How other processes open the same state."""
    export = getattr(store, "export_snapshot", None)
    return partial(opener, snapshot=export()) if export else opener


class _Judgement:
    def __init__(self, store: Store, opener: Opener, question: Question, say: Say) -> None:
        self._store, self._opener, self._question, self._say = store, opener, question, say
        self._heads = store.heads()
        self._ring = question.ring()
        self._keys = self._keys_of_logs()
        self._done = 0

    def run(self) -> str:
        """Every check, in the order in which faults are named."""
        heads = self._heads
        if not heads:
            raise Bad("there is no log")
        self._judge_order()
        declared = {head.log - 1: self._declared(head) for head in heads[1:]}
        known = self._known()
        tallies = []
        signers = SIGNERS if self._ring else 0
        resumed = self._question.resume and self._question.state.load()
        with covers.gather(self._store) as cover:
            for head in heads:
                case = Case(
                    head, self._keys[head.log], tuple(known[head.log]), declared.get(head.log), signers
                )
                state = self._question.state
                begun = state.begun(self._store, head, case.outside()) if resumed else None
                tallies.append(
                    self._judge_log(LogJudge(self._store, case, begun), head, cover, begun is not None)
                )
            waiting = self._judge_rest(tallies, resumed, cover.cutoff_ms)
        self._question.state.forget()
        last = heads[-1]
        root = base64.b64encode(last.root).decode()
        return f"ok: {sum(head.size for head in heads)} entries, size {last.size}, root {root}, pending {waiting}"

    def _keys_of_logs(self) -> dict[int, tuple[VerifierKey, ...]]:
        """A key of the first log vouches for its successors too, under their names, and any key for a log that has none
        of its own; witnesses for all.
        """
        names = {head.origin for head in self._heads}
        first = self._heads[0].origin if self._heads else ""
        given = [key for key in self._question.keys if key.name in names]
        found: dict[int, tuple[VerifierKey, ...]] = {}
        for head in self._heads:
            own = [key for key in given if key.name in (first, head.origin)] or given
            own = [replace(key, name=head.origin) for key in own]
            own += [VerifierKey(head.origin, ED25519, public) for public in self._ring]
            others = [key for key in self._question.keys if key.name not in names]
            found[head.log] = tuple(dict.fromkeys([*own, *others]))
        return found

    def _judge_order(self) -> None:
        """Logs are numbered from 1; all but the last have ended, each when the next began."""
        for number, head in enumerate(self._heads, 1):
            if head.log != number:
                raise Bad(f"log {number} is missing")
            if head.size < 1:
                raise Bad(f"log {number} has no entries")
            following = self._heads[number] if number < len(self._heads) else None
            if head.started_at and head.ended_at != (following.started_at if following else None):
                raise Bad(f"log {number}: it did not end when the next one began")
            self._judge_start(head)

    def _judge_start(self, head: Head) -> None:
        event_id, details = self._first(head)
        if details.get("log") != head.log or details.get("origin") != head.origin:
            raise Bad("it does not begin the log that it stands in", index=0, event=event_id)
        began = milliseconds_of(event_id) / 1000
        if head.started_at and abs(head.started_at.timestamp() - began) > START_SECONDS:
            raise Bad(f"log {head.log}: its start is not the time of its first entry")

    def _first(self, head: Head) -> tuple[str, dict[str, Any]]:
        """Id and details of a log's first event, which no pruning takes."""
        entries = self._store.entries(head.log, 0, 1)
        if not entries or entries[0][0]:
            raise Bad("it is missing", index=0)
        event_id = str(entries[0][1])
        try:
            milliseconds_of(event_id)
            event = self._store.events(head.log, entries).get(event_id)
            if event is None:
                raise Altered("its event is missing, and the one that begins a log is never pruned")
            if isinstance(event, Altered):
                raise event
            told = parse(rebuild([*event], None, self._store.spelling)[0])
        except Altered as error:
            raise Bad(str(error), index=0, event=event_id) from None
        if told["type"] != "log.start":
            raise Bad("a log begins with log.start", index=0, event=event_id)
        return event_id, told["details"]

    def _declared(self, head: Head) -> Checkpoint | None:
        """The last known checkpoint of the log before, as a successor's first entry holds it."""
        event_id, details = self._first(head)
        before = self._heads[head.log - 2]
        note = details.get("checkpoint")
        if note is None and not self._store.newest_checkpoint(before.log):
            return None  # nothing was known of it
        if not isinstance(note, str):
            raise Bad("it does not hold the last checkpoint of the log before", index=0, event=event_id)
        try:
            checkpoint = read_checkpoint(note, self._keys[before.log])
        except NotSigned as error:
            raise Bad(f"the last checkpoint of the log before: {error}", index=0, event=event_id) from None
        if checkpoint.origin != before.origin:
            raise Bad("the checkpoint that it holds is of another log", index=0, event=event_id)
        return checkpoint

    def _known(self) -> dict[int, list[Known]]:
        """What was kept elsewhere, by log."""
        found: dict[int, list[Known]] = {head.log: [] for head in self._heads}
        numbers = {head.origin: head.log for head in self._heads}
        for outside in self._question.outside:
            try:
                origin = parse_checkpoint(parse_note(outside.note).text).origin
                if origin not in numbers:
                    raise Bad(f"{outside.where}: there is no log {printable(origin)}")
                told = read_checkpoint(outside.note, self._keys[numbers[origin]])
            except NotSigned as error:
                raise Bad(f"{outside.where}: {error}") from None
            found[numbers[told.origin]].append(Known(outside.where, told.size, told.root))
        return found

    def _judge_log(self, log: LogJudge, head: Head, cover: Cover, is_resumed: bool) -> Tally:
        begun = log.tally.entries
        processes = self._question.processes if head.size - begun > 2 * RANGE else 1
        judge_tasks: Judge = (
            partial(workers.judge_apart, self._opener, processes)
            if processes > 1
            else partial(workers.judge_here, self._store)
        )
        self._advance(begun)
        self._say(f"log {head.log}, {head.origin}: {head.size} entries")
        if is_resumed:
            self._say(f"  an earlier run found the first {begun} good; they are not read again")
        kept = time.monotonic()
        for found in judge_tasks(log.tasks(cover)):
            log.take(found)
            self._advance(found.last - found.first)
            if time.monotonic() - kept > 1:
                self._question.state.keep(head.log, log.frontier(), log.continued())
                kept = time.monotonic()
        log.close()
        self._judge_signed(log.tally, head)
        self._report(log.tally, head)
        return log.tally

    def _advance(self, entries: int) -> None:
        self._done += entries
        self._question.on_progress(self._done, sum(head.size for head in self._heads))

    def _judge_signed(self, tally: Tally, head: Head) -> None:
        """A log that nobody signed proves nothing, unless it began just now."""
        newest = max(tally.newest_signed, self._store.newest_checkpoint(head.log))
        entries = self._store.entries(head.log, 0, 1)
        age_seconds = (self._question.now_ms() - milliseconds_of(entries[0][1])) / 1000
        for known in tally.met:
            if known.size > newest:  # it was stored before it was told to anyone, and the newest one stays
                raise Bad(
                    f"log {head.log}: {known.where} of {known.size} entries was stored, and is not any longer"
                )
        # a successor is signed as it begins: only so it is known that who ended the log before has the key
        if not newest and (head.log > 1 or age_seconds > loose.GRACE_SECONDS):
            raise Bad(f"log {head.log}: it has no signed checkpoint")
        tally.newest_signed = newest

    def _report(self, tally: Tally, head: Head) -> None:
        say = self._say
        say(
            f"  events: {tally.events} as they were, {tally.pruned} pruned; personal data: {tally.opened} opened,"
            f" {tally.erased} erased"
        )
        say(f"  tree: root {base64.b64encode(head.root).decode()}")
        say(f"  signed: {tally.checkpoints} stored checkpoints, {tally.cosigned} cosignatures")
        if tally.not_judged:
            say(f"  not judged: {tally.not_judged} signatures, whose keys were not given")
        for known in tally.met:
            say(f"  continues {known.where} of {known.size} entries")
        if tally.newest_signed < head.size:
            say(f"  not signed yet: entries {tally.newest_signed} to {head.size - 1}")
        if tally.restored:
            say(f"  openly restored: {tally.restored}")

    def _judge_rest(self, tallies: Sequence[Tally], resumed: bool, cutoff_ms: int) -> int:
        store = self._store
        if not isinstance(store, Database):
            return int(getattr(store, "pending", 0))
        loose.judge_strays(store, self._heads)
        loose.judge_orphans(store)
        loose.judge_retention(store, cutoff_ms)
        waiting = loose.judge_waiting(store, self._question.now_ms())
        if not resumed:
            loose.judge_number(store, sum(tally.events for tally in tallies), waiting)
        self._say(f"beside the entries: {waiting} events wait for one, nothing else is there")
        return waiting
