"""What the log proves, told to auditors: inclusion proofs, checkpoints, tiles and verifier keys (C2SP tlog-tiles).

Every look is an event. A proof stands under the newest checkpoint, so that it can be compared with one kept elsewhere.
"""

import base64
import struct
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit import checkpoints, notes, reading, tree
from audit.append import NewEvent, append_collapsed
from audit.canonical import is_opening
from audit.events import EventType, Outcome, Reason, Source
from audit.filters import is_event_id
from audit.leaf import leaf_of
from audit.merkle import TILE, TILE_HEIGHT
from audit.notes import Checkpoint
from audit.records import Record
from audit.tree import Head, Place
from audit.vocabulary import View
from secure_auth import integration, review
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem

LOG_WINDOW_SECONDS = 3600
PENDING_SECONDS = 1  # after which asking again makes sense
MAX_LEVEL = 63


@dataclass(frozen=True)
class Proof:
    """That an event stands in the log. `event` and `leaf` are None where the body was pruned."""

    event: dict[str, Any] | None
    leaf: str | None
    openings: dict[str, dict[str, str]]
    erased: list[str]
    index: int
    leaf_hash: bytes
    hashes: list[bytes]
    checkpoint: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "event": self.event,
            "leaf": self.leaf,
            "leaf_hash": _encode(self.leaf_hash),
            "openings": self.openings,
            "erased": self.erased,
            "index": self.index,
            "hashes": [_encode(each) for each in self.hashes],
            "checkpoint": self.checkpoint,
        }

    def as_text(self) -> str:
        """The C2SP tlog-proof."""
        return notes.proof_text(self.index, self.hashes, self.checkpoint)


def show_proof(*, signed: Signed, event_id: str, source: Source) -> Proof:
    """The inclusion proof of an event for an auditor; the reading is recorded whether or not there is one.

    Raises:
        Problem: not_found; event_pending, no checkpoint covers it yet.
    """
    try:
        proof = prove(event_id)
    except Problem as problem:
        known = problem.code is Code.EVENT_PENDING
        reason = Reason.PENDING if known else Reason.NOT_FOUND
        named = event_id if known else ""
        review.record_reading("proof", signed=signed, source=source, event=named, reason=reason)
        raise
    review.record_reading("proof", signed=signed, source=source, event=event_id)
    return proof


def prove(event_id: str) -> Proof:
    """The inclusion proof of an event under the newest checkpoint of its log.

    Raises:
        Problem: not_found; event_pending.
    """
    record = reading.find_event(event_id)
    place = tree.place_of(event_id) if is_event_id(event_id) else None
    if place is None:
        raise _pending() if record else Problem(Code.NOT_FOUND)
    checkpoint = checkpoints.newest(place.log, at_least=place.index + 1)
    if checkpoint is None:
        raise _pending()
    return _proof(record, place, checkpoint)


def _pending() -> Problem:
    return Problem(Code.EVENT_PENDING, headers={"Retry-After": str(PENDING_SECONDS)})


def _proof(record: Record | None, place: Place, checkpoint: Checkpoint) -> Proof:
    openings = _openings(record) if record else {}
    return Proof(
        event=record.as_dict() if record else None,
        leaf=leaf_of(record).decode() if record else None,
        openings=openings,
        erased=sorted(record.commitments.keys() - openings.keys()) if record else [],
        index=place.index,
        leaf_hash=place.leaf_hash,
        hashes=tree.inclusion_proof(place.log, place.index, checkpoint.size),
        checkpoint=checkpoint.note,
    )


def _openings(record: Record) -> dict[str, dict[str, str]]:
    """Salt and value of each commitment that they still open."""
    values = record.personal_values()
    return {
        name: {"salt": record.salts[name], "value": values[name]}
        for name, commitment in record.commitments.items()
        if name in values
        and name in record.salts
        and is_opening(commitment, record.salts[name], name, values[name])
    }


def read_checkpoint(number: int | None) -> str:
    """The newest checkpoint of a log, the current one where `number` is None, with its cosignatures.

    Raises:
        Problem: not_found, no such log, or nothing is signed yet.
    """
    checkpoint = checkpoints.newest(_head(number).log)
    if checkpoint is None:
        raise Problem(Code.NOT_FOUND)
    return checkpoint.note


def read_verifier_keys(number: int | None) -> list[str]:
    """The C2SP verifier keys of a log, the active one first.

    Raises:
        Problem: not_found.
    """
    return integration.verifier_keys(_head(number).origin)


def read_tile(number: int | None, level: int, index: int, width: int) -> bytes:
    """The first `width` hashes of a tile.

    Raises:
        Problem: not_found, the newest checkpoint needs no such tile.
    """
    log = _covering(number, level, index, width)
    return b"".join(tree.reader(log)(level, index * TILE, width))


def read_bundle(number: int | None, index: int, width: int) -> bytes:
    """The first `width` leaves of an entry bundle, each after its length in two bytes.

    Raises:
        Problem: not_found; gone, bodies of it were pruned.
    """
    log = _covering(number, 0, index, width)
    leaves = [leaf_of(record) for record in reading.find_entries(log, index * TILE, width)]
    if len(leaves) != width:
        raise Problem(Code.GONE)
    return b"".join(struct.pack(">H", len(leaf)) + leaf for leaf in leaves)


def record_log_reading(*, signed: Signed | None, source: Source) -> None:
    """One audit.read for all reading of the tree by a session, or by an unnamed source, in an hour."""
    event = NewEvent(
        type=EventType.AUDIT_READ,
        outcome=Outcome.SUCCESS,
        source=source,
        user=signed.user.pk if signed else "",
        session=signed.session.id if signed else "",
        details={"view": View.LOG},
    )
    with transaction.atomic():
        append_collapsed(
            event,
            key=f"log:{signed.session.id if signed else ''}",
            window_seconds=LOG_WINDOW_SECONDS,
            by_source=signed is None,
        )


def _head(number: int | None) -> Head:
    head = tree.current_head() if number is None else tree.head_of(number)
    if head is None:
        raise Problem(Code.NOT_FOUND)
    return head


def _covering(number: int | None, level: int, index: int, width: int) -> int:
    """The log whose newest checkpoint covers these hashes: what was not signed is not told."""
    head = _head(number)
    checkpoint = checkpoints.newest(head.log)
    hashes = checkpoint.size >> (TILE_HEIGHT * level) if checkpoint and level <= MAX_LEVEL else 0
    if index * TILE + width > hashes:
        raise Problem(Code.NOT_FOUND)
    return head.log


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
