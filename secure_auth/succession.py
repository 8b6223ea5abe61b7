"""Ends a log that cannot go on, and openly begins its successor.

The successor's first event says what the log before has here and the most that anybody is known to have seen of it:
this node's file and those it is shown, the database and every witness that answers. So an auditor sees how many entries
a restore has cost, and whose word that is.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from django.conf import settings
from django.db import transaction

from audit import checkpoints, cosignatures, notes, tree
from audit.events import Reason, Source
from audit.kept import keep, kept_files, read_kept
from audit.notes import Checkpoint
from audit.tree import Head
from audit.verify.notes import ED25519, NotSigned, VerifierKey, read_checkpoint
from audit.verify.verdict import Outside
from audit.vocabulary import Keeper
from secure_auth import integration, recollection
from secure_auth.acting import Refused
from secure_auth.recollection import Memory
from secure_auth.verification import ring_keys


@dataclass(frozen=True, slots=True)
class Claim:
    """That a log had `size` entries; with a checkpoint it is proved."""

    is_contradiction: bool  # the log, as it is here, does not continue it
    size: int
    keeper: Keeper
    witness: str = ""
    checkpoint: Checkpoint | None = None

    @property
    def weight(self) -> tuple[bool, int, bool]:
        """What is contradicted was lost, however large the log has grown since."""
        return self.is_contradiction, self.size, self.checkpoint is not None


@dataclass(frozen=True, slots=True)
class Succession:
    """A new log; the one that it follows, the most that is known of that, and what each witness said of it.

    `gone` are the last checkpoints of logs that this node kept and that are not here any more: a restore took them away
    as a whole. `not_kept` is why DATA_DIR does not hold its checkpoint, empty where it does.
    """

    head: Head
    before: Head
    last: Claim | None
    memories: Sequence[Memory]
    gone: Sequence[Checkpoint] = ()
    not_kept: str = ""


def new_log(*, reason: str, source: Source, given: Sequence[Outside] = ()) -> Succession:
    """End the current log and begin its successor, whose first event holds the last known checkpoint of the old one.

    Every configured witness is asked first. One that is away is passed over, after RECALL_SECONDS at last. `given` are
    checkpoints kept elsewhere: to whoever holds one that the first event does not reach, the old log is bad for ever.

    Raises:
        Refused: a reason is missing, another log began meanwhile, or one that is given is of nobody here or continued.
        OSError: DATA_DIR cannot be written, and nothing began.
    """
    if not reason.strip():
        raise Refused("say why with --reason")
    asked = tree.current_head()
    if asked is None:
        raise Refused("no log has begun")
    shown = [_read_given(asked, each) for each in given]
    _set_unreadable_aside()
    for each in shown:
        keep(integration.kept_path(), each.note)
    files = _read_files()
    kept = max((one for one in files if one.origin == asked.origin), key=lambda one: one.size, default=None)
    memories = _ask_witnesses(asked, kept)
    origin = _unused_name(asked.log + 1, {one.origin for one in files})
    with transaction.atomic():
        old = tree.hold_current_head()
        if old is None or old.origin != asked.origin:
            raise Refused("another log began meanwhile")
        claims = _claims(old, kept, memories)
        claims += [_claim(old, Keeper.FILE, one) for one in shown if one.origin == old.origin]
        claims += _sign_rest(old, claims)
        last = max(claims, key=lambda claim: claim.weight, default=None)
        before = _told(old, last, claims, memories)
        head = integration.start(
            old.log + 1, source=source, reason=Reason.BY_COMMAND, note=reason, before=before, origin=origin
        )
        # Signed before anybody sees it: a successor without is one that somebody wrote who has the tables alone.
        signed = checkpoints.sign(head, integration.signers())
        gone = _gone(files)
    return Succession(head, old, last, memories, gone, not_kept=_keep_first(signed))


def _keep_first(signed: Checkpoint) -> str:
    """Why it is not kept; the worker does that again. The log has begun: a failure would have it begun once more."""
    try:
        keep(integration.kept_path(), signed.note)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _set_unreadable_aside() -> None:
    path = integration.kept_path()
    try:
        read_kept(path)
    except ValueError:
        path.rename(path.with_name(f"{path.name}.unreadable"))


def _read_given(head: Head, outside: Outside) -> Checkpoint:
    """One of this log, or of one that the restore took away: its name must not be given again."""
    try:
        told = notes.read_checkpoint(outside.note)
    except ValueError as error:
        raise Refused(f"{outside.where} holds no checkpoint") from error
    if not _is_vouched(told):
        raise Refused(f"{outside.where}: no key of {head.origin} signed this checkpoint")
    if told.origin != head.origin and tree.head_of_origin(told.origin):
        raise Refused(f"{outside.where} is of {told.origin}, which has its successor already")
    return told


def _ask_witnesses(head: Head, kept: Checkpoint | None) -> list[Memory]:
    """Ask, and keep a larger checkpoint than is kept before anything ends by it. No transaction is open meanwhile."""
    known = [one for one in (checkpoints.newest(head.log), kept) if one]
    memories = recollection.recall(
        origin=head.origin,
        known=max(known, key=lambda one: one.size, default=None),
        keys=_keys_of(head.origin),
    )
    for memory in memories:
        if memory.checkpoint:
            keep(integration.kept_path(), memory.checkpoint.note)
    return memories


def _keys_of(origin: str) -> list[VerifierKey]:
    return [VerifierKey(origin, ED25519, public) for public in ring_keys()]


def _read_files() -> list[Checkpoint]:
    """What this node kept of this log and of others, those included that a restore took out of the database."""
    found = []
    for path in kept_files(integration.kept_path()):
        with suppress(ValueError):  # not one of ours
            found += [one for one in [read_kept(path)] if one]
    return found


def _gone(files: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The largest checkpoint of each log that was kept and is not here, by name."""
    largest = {one.origin: one for one in sorted(files, key=lambda one: one.size)}
    return [largest[name] for name in sorted(largest) if tree.head_of_origin(name) is None]


def _unused_name(number: int, seen: Collection[str]) -> str:
    """What the successor is called: as no log that anybody has seen, which a second restore makes forget its own.

    Two histories of one name would be two truths under one signature.
    """
    own = integration.origin_of(number)
    names = (f"{own}.{again}" if again > 1 else own for again in count(1))
    # Behind the last that was seen: the file of one before it may have been moved elsewhere.
    again = [name.removeprefix(f"{own}.") for name in seen if name.startswith(f"{own}.")]
    first = max(map(int, filter(str.isdecimal, again)), default=0)
    return next(name for name in islice(names, first, None) if name not in seen and not _is_remembered(name))


def _is_remembered(origin: str) -> bool:
    return any(one.size for one in recollection.recall(origin=origin, known=None, keys=_keys_of(origin)))


def _claims(head: Head, kept: Checkpoint | None, memories: Sequence[Memory]) -> list[Claim]:
    """Everything that is known of a log, proved or told."""
    # one that no key of this ring signed proves nothing to who verifies: as the first word of a log it would spoil that
    is_proof = kept is not None and _is_vouched(kept)
    proved = [
        (Keeper.DATABASE, "", checkpoints.newest(head.log)),
        (Keeper.FILE, "", kept if is_proof else None),
    ]
    proved += [(Keeper.WITNESS, memory.witness, memory.checkpoint) for memory in memories]
    claims = [_claim(head, keeper, one, witness) for keeper, witness, one in proved if one]
    if kept and not is_proof:
        claims.append(Claim(checkpoints.contradiction(head, kept) is not None, kept.size, Keeper.FILE))
    claims += [
        Claim(memory.size > head.size, memory.size, Keeper.WITNESS, memory.witness)
        for memory in memories
        if memory.size is not None
    ]
    names = [witness.key.name for witness in settings.WITNESSES]
    claims += [
        Claim(True, held.known_size, Keeper.WITNESS, held.witness)
        for held in cosignatures.contradictions(head.log, names)
    ]
    return claims


def _claim(head: Head, keeper: Keeper, one: Checkpoint, witness: str = "") -> Claim:
    return Claim(checkpoints.contradiction(head, one) is not None, one.size, keeper, witness, one)


def _sign_rest(head: Head, claims: Sequence[Claim]) -> list[Claim]:
    """Sign what no worker will any more: no export would hold it, and a first log that nobody signed is bad for ever.

    Never what contradicts a word of our own keys, or anybody's where they signed before; nor a successor that they
    did not begin.
    """
    newest = checkpoints.newest(head.log)
    against = [claim for claim in claims if claim.is_contradiction]
    if newest:
        may_be_signed = not against and _is_vouched(newest)
    else:
        may_be_signed = head.log == 1 and not any(claim.checkpoint for claim in against)
    if not may_be_signed:
        return []
    return [_claim(head, Keeper.DATABASE, checkpoints.sign(head, integration.signers()))]


def _is_vouched(checkpoint: Checkpoint) -> bool:
    try:
        read_checkpoint(checkpoint.note, _keys_of(checkpoint.origin))
    except NotSigned:
        return False
    return True


def _told(
    old: Head, last: Claim | None, claims: Sequence[Claim], memories: Sequence[Memory]
) -> dict[str, Any]:
    """What the first event says of the log before."""
    proved = [claim for claim in claims if claim.checkpoint]
    best = max(proved, key=lambda claim: claim.weight, default=None)
    silent = sum(memory.size is None for memory in memories)
    return {
        "checkpoint": best.checkpoint.note if best and best.checkpoint else None,
        "size": old.size,
        "known_size": last.size if last else None,
        "known_by": last.keeper if last else None,
        "witness": last.witness or None if last else None,
        "unanswered": silent or None,
    }
