"""A day of a busy service: many events, put straight into the embedded database."""

import contextlib
import math
import random
import sqlite3
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

from tests.conftest import scaled
from tests.server import Server

A_BUSY_DAY = 100_000
SPAN_MILLISECONDS = 86_000_000
KINDS = (
    ("token.refresh", "success", "", "info", 60),
    ("session.open", "success", "", "info", 15),
    ("login.password", "failure", "wrong_password", "low", 18),
    ("limit.exceeded", "failure", "rate_limited", "medium", 6),
    ("token.reuse", "failure", "reused", "high", 1),
)


def seed(server: Server, count: int = scaled(10_000, A_BUSY_DAY)) -> None:
    """So many events without entries, and the counts that the worker would keep of them."""
    chance, begin = random.Random(7), int(time.time() * 1000) - SPAN_MILLISECONDS
    kinds = chance.choices(KINDS, [weight for *_, weight in KINDS], k=count)
    counts: Counter[tuple[int | str, ...]] = Counter()
    events, people = [], []
    for number, (*kind, _) in enumerate(kinds):
        part = number / count
        milliseconds = begin + int(SPAN_MILLISECONDS * (part + 0.06 * math.sin(4 * math.pi * part)))  # tides
        id_, second = _id(milliseconds, chance), milliseconds // 1000
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        events.append((id_, moment, *kind, "", "", "{}", "{}"))
        people.append((id_, "", "", f"10.0.{number % 7}.{number % 250}", "Seed/1.0", "", "{}", "{}"))
        for seconds in (60, 3600, 86_400):
            counts[seconds, second - second % seconds, kind[0], kind[1], kind[3]] += 1
    with contextlib.closing(sqlite3.connect(server.data_dir / "secure_auth.sqlite3", timeout=60)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executemany(f"INSERT INTO audit_event VALUES ({', '.join('?' * 10)})", events)
        database.executemany(f"INSERT INTO audit_personaldata VALUES ({', '.join('?' * 8)})", people)
        database.executemany(
            """INSERT INTO audit_rollup (seconds, start, type, outcome, severity, count) VALUES (?, ?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET count = count + excluded.count""",
            [(*key, count) for key, count in counts.items()],
        )
        database.commit()


def _id(milliseconds: int, chance: random.Random) -> str:
    """A UUIDv7 of this time."""
    number = milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    return str(uuid.UUID(int=number))
