"""The witness: judges what is submitted, remembers the newest checkpoint and cosigns it, in this order of refusals.

400 not readable, 404 a log that it does not watch, 403 not signed by the log, 400 an old size beyond the checkpoint,
409 not the size that was cosigned last, or another root at that size, 422 a proof that shows nothing (C2SP
tlog-witness).
"""

import logging
import time
from collections.abc import Iterable

from audit.verify.notes import Checkpoint, NotSigned, VerifierKey, verify_note
from audit.verify.tree import NotProved, verify_consistency
from audit.witness.keyfile import Cosigner
from audit.witness.record import Latest, Record, Turn
from audit.witness.submission import SIZE_TYPE, Answer, Submission, parse_submission, signed_by

logger = logging.getLogger(__name__)


class Witness:
    """Watches some logs, each known by its origin and one key or more, and cosigns what continues what it saw."""

    def __init__(self, cosigner: Cosigner, logs: Iterable[VerifierKey], record: Record) -> None:
        self.cosigner = cosigner
        self.logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self.logs.setdefault(key.name, []).append(key)
        self._record = record

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign a checkpoint, or say why not."""
        try:
            submitted = parse_submission(body)
        except NotSigned as error:
            return _refusal(400, error)
        keys = self.logs.get(submitted.checkpoint.origin)
        if keys is None:
            return _refusal(404, "this log is not watched here")
        try:
            verify_note(submitted.note, keys)
        except NotSigned as error:
            return _refusal(403, error)
        if submitted.old > submitted.checkpoint.size:
            return _refusal(400, "the old size is beyond the checkpoint")
        return self._follow(submitted, signed_by(submitted.note, keys))

    def _follow(self, submitted: Submission, note: str) -> Answer:
        """Compare and persist, in one transaction; the cosignature leaves only after its commit."""
        with self._record.alone() as turn:
            latest = turn.latest(submitted.checkpoint.origin)
            refusal = _compare(submitted, latest)
            if refusal:
                _keep_evidence(turn, submitted.checkpoint, note, latest)
                return refusal
            # never earlier than what was said before, whatever the clock does
            now = max(int(time.time()), latest.time)
            line = self.cosigner.cosign(submitted.note.text, now)
            turn.keep(submitted.checkpoint, note, line, now)
        return Answer(200, line)

    def status(self) -> dict[str, object]:
        """Who this witness is and what it saw last, for monitors."""
        return {
            "key": str(self.cosigner.verifier),
            "logs": [self._seen(origin) for origin in sorted(self.logs)],
        }

    def cosigned(self, origin: str) -> str | None:
        """The newest checkpoint of a log with this witness's signature; None before the first."""
        latest = self._record.latest(origin)
        return latest.note + latest.cosignature if latest.note else None

    def _seen(self, origin: str) -> dict[str, object]:
        latest = self._record.latest(origin)
        return {
            "origin": origin,
            "size": latest.size,
            "time": latest.time,
            "checkpoint": self.cosigned(origin) or "",
            "conflicts": self._record.conflicts(origin),
        }


def _compare(submitted: Submission, latest: Latest) -> Answer | None:
    """The refusal of what does not follow the newest checkpoint that was cosigned."""
    new = submitted.checkpoint
    if submitted.old != latest.size:
        return Answer(409, f"{latest.size}\n", SIZE_TYPE)
    if new.size == latest.size and new.root != latest.root:
        return Answer(409, f"{latest.size}\n", SIZE_TYPE)
    try:
        if latest.size:
            verify_consistency(latest.size, new.size, latest.root, new.root, submitted.proof)
        elif submitted.proof:
            raise NotProved("every log continues the empty one without a proof")
    except NotProved as error:
        logger.warning("%s: %d entries do not continue %d: %s", new.origin, new.size, latest.size, error)
        return _refusal(422, error)
    return None


def _keep_evidence(turn: Turn, new: Checkpoint, note: str, latest: Latest) -> None:
    """Two roots of one size, both signed by the log: it shows two histories, and this proves it to anybody."""
    if latest.note and new.size == latest.size and new.root != latest.root:
        logger.critical("%s signed two checkpoints of %d entries", new.origin, new.size)
        turn.keep_conflict(new, note, latest)


def _refusal(status: int, why: object) -> Answer:
    return Answer(status, f"{why}\n")
