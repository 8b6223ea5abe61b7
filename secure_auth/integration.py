"""The log's keeper: integrates what is pending, signs the head and keeps the checkpoint, with our keys and our paths.

In this order: entries and head are committed, the checkpoint is signed and stored, the newest one is kept outside the
database, then told to others. A crash after any of them is made good at the next turn. A head that contradicts a known
checkpoint (a restored or cut database) is neither continued nor signed; events wait until `new_log` begins a successor.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import transaction

from audit import checkpoints, clocks, cosignatures, notes, tree
from audit.append import NewEvent, append_collapsed
from audit.events import SYSTEM, EventType, Outcome, Reason, Source
from audit.integrate import Integrator, start_log
from audit.kept import keep, read_kept
from audit.notes import Checkpoint, Signer
from audit.tree import Head, Torn
from audit.verify.notes import ED25519, NotSigned, VerifierKey, read_checkpoint
from audit.vocabulary import Keeper
from secure_auth import keys, witnesses
from secure_auth.keys import OpenKey
from secure_auth.models import Key

log = structlog.get_logger(__name__)

TURN_SECONDS = 0.8  # of integrating before a checkpoint is signed
STRAY_SECONDS = 3600
SAY_SECONDS = 3600
REPEAT_SECONDS = 60  # of saying the same trouble once more on standard output
LOG_PATH = "/api/v1/audit/log"


@dataclass(frozen=True)
class Trouble:
    """Why nothing is signed."""

    keeper: Keeper
    known_size: int
    why: str


class Logbook:
    """One process's hold on the log. Any number may work at once; `audit.integrate` says why that is safe."""

    def __init__(self) -> None:
        self._integrator = Integrator()
        self._sound: Head | None = None  # continues all that is known
        self._signed: Head | None = None
        self._stray_at = 0.0
        self._said: Trouble | None = None
        self._say_again_at = 0.0

    def advance(self) -> bool:
        """Integrate for up to TURN_SECONDS and sign; whether there was anything to do."""
        head = tree.current_head()
        if head is None or not self._is_sound(head):
            return False
        try:
            done = self._integrate()
        except Torn as error:
            self._refuse(head, Trouble(Keeper.DATABASE, head.size, str(error)))
            return False
        head = self._integrator.head or tree.current_head() or head
        if not self._is_sound(head):
            return bool(done)
        self._withdraw()
        if head == self._signed:
            return bool(done)
        keep(kept_path(), checkpoints.sign(head, signers()).note)
        self._signed = head
        return True

    def follow(self) -> None:
        """On a node that does not lead: keep the newest checkpoint too, if it continues the one that is kept here.

        Trouble that this node told while it led may have been mended elsewhere since.
        """
        head = tree.current_head()
        checkpoint = head and checkpoints.newest(head.log)
        if not head or find_trouble(head) is not None:
            return
        if self._said or _is_left_behind(trouble_path()):
            self._withdraw()
        if checkpoint:
            keep(kept_path(), checkpoint.note)

    def _integrate(self) -> int:
        deadline = time.monotonic() + TURN_SECONDS
        if time.monotonic() >= self._stray_at and not self._integrator.adopt_stray():
            self._stray_at = time.monotonic() + STRAY_SECONDS
        done = 0
        while count := self._integrator.integrate():
            done += count
            self._sound = self._integrator.head
            if time.monotonic() > deadline:
                break
        return done

    def _is_sound(self, head: Head) -> bool:
        """Whether a head continues every checkpoint that is known; says so where it does not."""
        trouble = find_trouble(head) if head != self._sound or head != self._signed else None
        if trouble is None:
            self._sound = head
            return True
        self._refuse(head, trouble)
        return False

    def _withdraw(self) -> None:
        self._said = None
        trouble_path().unlink(missing_ok=True)

    def _refuse(self, head: Head, trouble: Trouble) -> None:
        self._sound = self._signed = None
        now = time.monotonic()
        if trouble == self._said and now < self._say_again_at:
            return
        self._said, self._say_again_at = trouble, now + REPEAT_SECONDS
        log.critical("log.inconsistent", log=head.log, size=head.size, keeper=trouble.keeper, why=trouble.why)
        event = NewEvent(
            type=EventType.LOG_INCONSISTENT,
            outcome=Outcome.FAILURE,
            source=SYSTEM,
            details={
                "log": head.log,
                "size": head.size,
                "known_size": trouble.known_size,
                "known_by": trouble.keeper,
            },
        )
        with transaction.atomic():
            append_collapsed(event, key=f"{head.log}:{trouble.keeper}", window_seconds=SAY_SECONDS)
        trouble_path().write_text(trouble.why + "\n")  # last: a disk that is full must not silence the event


def _is_left_behind(path: Path) -> bool:
    """Whether nobody tells this trouble any more: who does, of all that share DATA_DIR, says it again and again."""
    try:
        return time.time() - path.stat().st_mtime > 2 * REPEAT_SECONDS
    except OSError:
        return False


def find_trouble(head: Head) -> Trouble | None:
    """The first known checkpoint that a head does not continue, or None."""
    newest = checkpoints.newest(head.log)
    if head.log > 1 and not (newest and _is_ours(newest, head.origin)):
        return Trouble(
            Keeper.DATABASE, 0, f"log {head.log} has no checkpoint of ours: it was not begun by new_log"
        )
    known = {Keeper.DATABASE: newest}
    try:
        known[Keeper.FILE] = read_kept(kept_path())
    except ValueError:
        return Trouble(Keeper.FILE, 0, f"{kept_path()} holds no checkpoint")
    except OSError as error:  # as one that another user's command wrote: what it says might be contradicted
        return Trouble(Keeper.FILE, 0, f"{kept_path()} cannot be read: {error.strerror}")
    now = tree.current_head()  # after what it must continue: another process may have signed meanwhile
    if now is None or now.log != head.log:
        return None  # a successor began meanwhile
    head = now
    for keeper, checkpoint in known.items():
        found = checkpoint and checkpoints.contradiction(head, checkpoint)
        if checkpoint and found:
            return Trouble(keeper, checkpoint.size, found.why)
    told = witnesses.find_contradiction(head.log)
    return Trouble(Keeper.WITNESS, told.known_size, f"{told.witness}: {told.why}") if told else None


def _is_ours(checkpoint: Checkpoint, origin: str) -> bool:
    """Whether a key of the ring, of whatever state, signed it."""
    ring = keys.ring(Key.Purpose.AUDIT).keys.values()
    try:
        told = read_checkpoint(checkpoint.note, [VerifierKey(origin, ED25519, _public(key)) for key in ring])
    except NotSigned:
        return False
    return told.origin == origin


def ensure_log() -> None:
    """Begin the first log where there is none. The caller holds the start-up lock."""
    with transaction.atomic():
        if tree.current_head() is None:
            start(1, source=SYSTEM, reason=Reason.FIRST_START, before={})


def start(
    number: int,
    *,
    source: Source,
    reason: Reason,
    note: str = "",
    before: Mapping[str, Any],
    origin: str = "",
) -> Head:
    """Begin log `number`, whose first event also says what is known of the log `before`. Within a transaction.

    `origin` is its name where that is another than origin_of() gives.
    """
    origin = origin or origin_of(number)
    event = NewEvent(
        type=EventType.LOG_START,
        outcome=Outcome.SUCCESS,
        reason=reason,
        source=source,
        details={"log": number, "origin": origin, **before},
        text={"note": note} if note else {},
    )
    return start_log(origin, event, number=number)


def origin_of(number: int) -> str:
    """A log's name: where it is read, without the scheme (C2SP tlog-checkpoint)."""
    parts = urlsplit(settings.ORIGIN)
    name = f"{parts.netloc}{LOG_PATH}"
    return name if number == 1 else f"{name}/{number}"


def kept_path() -> Path:
    """Where this node keeps the newest checkpoint."""
    return Path(settings.DATA_DIR) / "checkpoint"


def trouble_path() -> Path:
    """Where a node that refuses to sign says why; /readyz shows it."""
    return Path(settings.DATA_DIR) / "log-trouble"


def signers() -> list[Signer]:
    """The active audit key and the next one: who pins both verifier keys goes on after a rotation."""
    found = sorted(_signing_keys(), key=lambda key: key.state)
    return [Signer(_public(key), key.private.sign) for key in found]  # type: ignore[arg-type]


def verifier_keys(origin: str) -> list[str]:
    """The C2SP verifier keys of a log: that of the active key first."""
    return [
        notes.verifier_key(origin, _public(key)) for key in sorted(_signing_keys(), key=lambda it: it.state)
    ]


def ring_verifier_keys(origin: str) -> list[str]:
    """The same, and then those of retired keys, by which older checkpoints are judged."""
    ring = sorted(keys.ring(Key.Purpose.AUDIT).keys.values(), key=lambda key: key.state)
    return [notes.verifier_key(origin, _public(key)) for key in ring]


def _signing_keys() -> list[OpenKey]:
    ring = keys.ring(Key.Purpose.AUDIT)
    return [key for key in ring.keys.values() if key.state in (Key.State.ACTIVE, Key.State.NEXT)]


def _public(key: OpenKey) -> bytes:
    return bytes(key.verifying.public_bytes_raw())


def thin_out() -> None:
    """Drop checkpoints that newer ones vouch for."""
    now = clocks.earlier_now()
    cosignatures.thin_out(now)
    checkpoints.thin_out(now)
