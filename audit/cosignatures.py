"""What witnesses say of the log: cosignatures of its checkpoints, and contradictions.

A cosignature says that its witness saw the log grow into this checkpoint and into nothing else. A contradiction says
that the log cannot be true to what the witness saw; it stands until that witness cosigns a checkpoint again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

KEEP_ALL: Final = timedelta(days=1)  # of older ones, each witness's last of an hour stays


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as the log alone signed it."""

    log: int
    size: int
    note: str


@dataclass(frozen=True, slots=True)
class Contradicted:
    """What a witness holds against a log: it knows `known_size` entries, shown were `size`."""

    witness: str
    size: int
    known_size: int
    why: str


def newest_signed(log: int) -> Signed | None:
    """The newest checkpoint of a log."""
    sql = "SELECT log, size, note FROM audit_checkpoint WHERE log = %s ORDER BY size DESC LIMIT 1"
    with connection.cursor() as cursor:
        cursor.execute(sql, [log])
        row = cursor.fetchone()
    return Signed(*row) if row else None


def cosigned_size(log: int, witness: str) -> int:
    """The largest size of a log that a witness is known to have cosigned; 0 for none."""
    sql = "SELECT COALESCE(max(size), 0) FROM audit_cosignature WHERE log = %s AND witness = %s"
    with connection.cursor() as cursor:
        cursor.execute(sql, [log, witness])
        return int(cursor.fetchone()[0])


def keep_cosignature(signed: Signed, witness: str, line: str) -> None:
    """Keep a verified cosignature; what the witness held against the log before is settled by it."""
    key: list[int | str] = [signed.log, signed.size, witness]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            # not ON CONFLICT alone: on SQLite the trigger that refuses replacing would refuse that too
            """INSERT INTO audit_cosignature (log, size, witness, line, time) SELECT %s, %s, %s, %s, %s
                WHERE NOT EXISTS (SELECT 1 FROM audit_cosignature WHERE log = %s AND size = %s AND witness = %s)
               ON CONFLICT DO NOTHING""",
            [*key, line, _time(datetime.now(UTC)), *key],
        )
        cursor.execute(
            "DELETE FROM audit_contradiction WHERE log = %s AND witness = %s", [signed.log, witness]
        )


def keep_contradiction(log: int, found: Contradicted) -> None:
    """Keep what a witness holds against a log, in place of what it held before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audit_contradiction (log, witness, size, known_size, why, time)
               VALUES (%s, %s, %s, %s, %s, %s)
               ON CONFLICT (log, witness) DO UPDATE
               SET size = excluded.size, known_size = excluded.known_size, why = excluded.why""",
            [log, found.witness, found.size, found.known_size, found.why, _time(datetime.now(UTC))],
        )


def contradictions(log: int, witnesses: Collection[str]) -> list[Contradicted]:
    """What these witnesses hold against a log, the largest size first."""
    if not witnesses:
        return []
    marks = ", ".join(["%s"] * len(witnesses))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT witness, size, known_size, why FROM audit_contradiction
                 WHERE log = %s AND witness IN ({marks}) ORDER BY known_size DESC""",  # noqa: S608 marks
            [log, *witnesses],
        )
        return [Contradicted(*row) for row in cursor.fetchall()]


def thin_out(now: datetime) -> int:
    """Drop old cosignatures but each witness's last of an hour; how many."""
    hour = (
        "date_trunc('hour', time)" if connection.vendor == "postgresql" else "strftime('%%Y%%m%%d%%H', time)"
    )
    bound = _time(now - KEEP_ALL)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""DELETE FROM audit_cosignature WHERE time < %s AND (log, witness, size) NOT IN (
                    SELECT log, witness, max(size) FROM audit_cosignature GROUP BY log, witness, {hour})""",  # noqa: S608 constant
            [bound],
        )
        return int(cursor.rowcount)


def _time(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
