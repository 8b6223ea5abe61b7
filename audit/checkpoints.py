"""Checkpoints: signed heads, stored and told, and whether a head continues the ones that are known.

Only a head that the database holds committed is signed, and only when it continues every checkpoint that is known: a
log that signs two heads of which neither continues the other is worth nothing (C2SP tlog-checkpoint).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from audit import merkle
from audit.notes import Checkpoint, Signer, read_checkpoint, sign_checkpoint
from audit.tree import Head, Torn, head_of_origin, reader

KEEP_ALL: Final = timedelta(days=1)  # of older ones, the last of each hour stays


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A checkpoint that the head does not continue."""

    known: Checkpoint
    why: str


def sign(head: Head, signers: Sequence[Signer]) -> Checkpoint:
    """Sign a committed head and store the checkpoint; one that is stored already stays as it is."""
    note = sign_checkpoint(head.origin, head.size, head.root, signers)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audit_checkpoint (log, size, root, note, time) SELECT %s, %s, %s, %s, %s
                WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoint WHERE log = %s AND size = %s)
               ON CONFLICT DO NOTHING""",
            [head.log, head.size, head.root, note, _time(datetime.now(UTC)), head.log, head.size],
        )
    stored = newest(head.log, at_least=head.size)
    return stored or read_checkpoint(note)


def newest(log: int, *, at_least: int = 0) -> Checkpoint | None:
    """The newest checkpoint of a log that covers `at_least` entries, with the cosignatures it has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT size, note FROM audit_checkpoint WHERE log = %s AND size >= %s ORDER BY size DESC LIMIT 1",
            [log, at_least],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            "SELECT line FROM audit_cosignature WHERE log = %s AND size = %s ORDER BY witness", [log, row[0]]
        )
        return read_checkpoint(row[1] + "".join(line for (line,) in cursor.fetchall()))


def newest_age_seconds(log: int) -> float | None:
    """How long ago the newest checkpoint of a log was signed; None before the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT time FROM audit_checkpoint WHERE log = %s ORDER BY size DESC LIMIT 1", [log])
        row = cursor.fetchone()
    if row is None:
        return None
    return max((datetime.now(UTC) - _aware(row[0])).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored checkpoint of a log, when it was signed, and by how many witnesses it was cosigned."""

    size: int
    root: bytes
    signed_at: datetime
    cosigned: int

    @property
    def root_text(self) -> str:
        """The root in base64."""
        return base64.b64encode(self.root).decode()


def recent(log: int, limit: int) -> list[Stored]:
    """The newest checkpoints of a log, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.size, c.root, c.time, (SELECT count(*) FROM audit_cosignature w
                                               WHERE w.log = c.log AND w.size = c.size)
                 FROM audit_checkpoint c WHERE c.log = %s ORDER BY c.size DESC LIMIT %s""",
            [log, limit],
        )
        rows = cursor.fetchall()
    return [Stored(size, bytes(root), _aware(moment), cosigned) for size, root, moment, cosigned in rows]


def contradiction(head: Head, known: Checkpoint) -> Contradiction | None:
    """What is wrong with a head in the eyes of who knows this checkpoint; None where it continues it.

    One of an ended log is continued by that log's own head.
    """
    own = head if known.origin == head.origin else head_of_origin(known.origin)
    if own is None:
        return Contradiction(known, f"no log here is called {known.origin}")
    if own.log > head.log:
        return Contradiction(known, "it is of a later log")
    if own.log < head.log:
        return None  # a successor began because of it, and holds it
    if known.size > own.size:
        return Contradiction(known, f"it has {known.size} entries, the log only {own.size}")
    try:
        root = merkle.root_of(known.size, reader(own.log))
    except Torn as error:
        return Contradiction(known, str(error))
    return None if root == known.root else Contradiction(known, f"the roots of {known.size} entries differ")


def thin_out(now: datetime) -> int:
    """Drop old checkpoints but the last of each hour; how many. A newer one vouches for the same entries."""
    hour = (
        "date_trunc('hour', time)" if connection.vendor == "postgresql" else "strftime('%%Y%%m%%d%%H', time)"
    )
    bound = _time(now - KEEP_ALL)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""DELETE FROM audit_checkpoint WHERE time < %s AND NOT EXISTS (
                    SELECT 1 FROM audit_cosignature c
                     WHERE c.log = audit_checkpoint.log AND c.size = audit_checkpoint.size)
                  AND (log, size) NOT IN (
                    SELECT log, max(size) FROM audit_checkpoint WHERE time < %s GROUP BY log, {hour})""",  # noqa: S608 constant
            [bound, bound],
        )
        return int(cursor.rowcount)


def _time(moment: datetime) -> str:
    return str(connection.ops.adapt_datetimefield_value(moment))


def _aware(stored: datetime | str) -> datetime:
    """A moment as the databases give it: SQLite as text, and without saying that it is UTC."""
    moment = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
