"""Inclusion proofs of many events at once: neighbours in the tree share almost all that a proof needs.

Proved is what the newest checkpoint of an event's log covers; the rest has no proof yet.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection

from audit import checkpoints, merkle, tree
from audit.canonical import is_opening
from audit.leaf import leaf_of
from audit.notes import Checkpoint
from audit.records import Record
from audit.tree import Place

KEPT: Final = 20_000  # hashes of subtrees that are remembered before all are forgotten


class Prover:
    """Proves under one checkpoint of each log: the newest when that log is met first."""

    def __init__(self) -> None:
        self._logs: dict[int, tuple[Checkpoint | None, merkle.Subtrees]] = {}

    def prove_all(self, records: Sequence[Record]) -> dict[str, dict[str, Any]]:
        """The proofs by event id; events that no checkpoint covers are left out."""
        places = fetch_places([record.id for record in records])
        found = {}
        for record in records:
            if record.id in places:
                proof = self._prove(record, places[record.id])
                if proof:
                    found[record.id] = proof
        return found

    def _prove(self, record: Record, place: Place) -> dict[str, Any] | None:
        log, index = place.log, place.index
        if log not in self._logs:
            checkpoint = checkpoints.newest(log)
            size = checkpoint.size if checkpoint else 0
            self._logs[log] = (checkpoint, merkle.Subtrees(size, tree.reader(log), keep=KEPT))
        checkpoint, subtrees = self._logs[log]
        if checkpoint is None or index >= checkpoint.size:
            return None
        return proof_of(record, place, subtrees.inclusion_proof(index), checkpoint.note)


def proof_of(record: Record, place: Place, hashes: Sequence[bytes], checkpoint: str) -> dict[str, Any]:
    """A proof as the API answers it, without the event."""
    values = record.personal_values()
    openings = {
        name: {"salt": record.salts[name], "value": values[name]}
        for name, commitment in record.commitments.items()
        if name in values
        and name in record.salts
        and is_opening(commitment, record.salts[name], name, values[name])
    }
    return {
        "leaf": leaf_of(record).decode(),
        "leaf_hash": base64.b64encode(place.leaf_hash).decode(),
        "openings": openings,
        "erased": sorted(record.commitments.keys() - openings.keys()),
        "index": place.index,
        "hashes": [base64.b64encode(each).decode() for each in hashes],
        "checkpoint": checkpoint,
    }


def fetch_places(events: Sequence[str]) -> Mapping[str, Place]:
    """The entries of those events that have one."""
    if not events:
        return {}
    marks = ", ".join(["%s"] * len(events))
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT event, log, "index", leaf_hash FROM audit_entry WHERE event IN ({marks})',  # noqa: S608 marks only
            list(events),
        )
        return {event: Place(log, index, bytes(leaf)) for event, log, index, leaf in cursor.fetchall()}
