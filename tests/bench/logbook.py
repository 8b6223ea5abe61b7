"""A bulk loader: millions of valid events, with personal data, entries, nodes, head and a signed checkpoint.

For benchmarks, and for tests that want a log which is older than they are. What it writes is what the service would
have written: `verify_log` finds it good. Ids, times and salts come from a seed, so that equal calls make equal logs.
The tables must be there (`manage.py migrate`) and hold no log.
"""

import argparse
import base64
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.merkle import Edge
from audit.notes import Signer, sign_checkpoint

ORIGIN: Final = "auth.example/api/v1/audit/log"
BATCH: Final = 20_000
START_MS: Final = 1_790_000_000_000
SIGNING_KEY: Final = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a bench's log").digest())
SIGNER: Final = Signer(SIGNING_KEY.public_key().public_bytes_raw(), SIGNING_KEY.sign)
AGENTS: Final = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7")
    for version in range(130, 140)
)
# type, outcome, reason, severity, weight, details
KINDS: Final[tuple[tuple[str, str, str, str, int, Callable[[str], dict[str, Any]]], ...]] = (
    ("login.password", "success", "", "info", 20, lambda near: {"login": near, "next": "verify"}),
    ("login.password", "failure", "wrong_password", "low", 8, lambda _: {}),
    ("login.second_factor", "success", "", "info", 18, lambda near: {"login": near, "method": "totp"}),
    ("login.second_factor", "failure", "wrong_code", "medium", 2, lambda near: {"login": near}),
    ("session.open", "success", "", "info", 18, lambda near: {"login": near, "amr": ["pwd", "otp", "mfa"]}),
    ("token.refresh", "success", "", "info", 30, lambda near: {"kind": "refresh", "jti": near, "generation": 3}),
    ("limit.exceeded", "failure", "rate_limited", "medium", 3,
     lambda _: {"limit": "password_source", "key": "source", "count": 30, "retry_after_seconds": 12}),
    ("session.revoke", "success", "logout", "info", 1, lambda near: {"target": near}),
)  # fmt: skip
IN_SESSION: Final = frozenset({"session.open", "token.refresh", "session.revoke"})
EVENT: Final = "id, time, type, outcome, reason, severity, session, request_id, details, commitments"
PERSONAL: Final = 'event, "user", subject, ip, user_agent, foreign_request_id, text, salts'
OWN: Final = ("user", "subject", "ip", "user_agent", "foreign_request_id")
TABLES: Final = {
    "audit_event": EVENT,
    "audit_personaldata": PERSONAL,
    "audit_entry": 'log, "index", event, leaf_hash',
    "audit_node": 'log, level, "index", hash',
}
_compact: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_sorted: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Maker:
    """Makes the rows of one log, in order."""

    seed: int = 1
    start_ms: int = START_MS
    gap_ms: int = 40  # mean time between events
    users: int = 5_000
    origin: str = ORIGIN
    log: int = 1
    edge: Edge = field(default_factory=Edge)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._ms = float(self.start_ms)
        self._people = [self.id() for _ in range(self.users)]
        self._weights = [kind[4] for kind in KINDS]

    def batches(self, count: int) -> Iterator[Rows]:
        """`count` entries, BATCH at a time; the first is the log's start."""
        for first in range(0, count, BATCH):
            rows: Rows = {table: [] for table in TABLES}
            size = min(BATCH, count - first)
            kinds = self._random.choices(KINDS, self._weights, k=size)
            for index, kind in enumerate(kinds, first):
                self._add(rows, index, kind)
            yield rows

    def _add(self, rows: Rows, index: int, kind: tuple[Any, ...]) -> None:
        event, personal, leaf = self.start() if not index else self.event(kind)
        hashed = hashlib.sha256(b"\x00" + leaf).digest()
        rows["audit_event"].append(event)
        if personal:
            rows["audit_personaldata"].append(personal)
        rows["audit_entry"].append((self.log, index, event[0], hashed))
        rows["audit_node"] += [(self.log, *node) for node in self.edge.append(hashed)]

    def start(self) -> tuple[tuple[Any, ...], Any, bytes]:
        """What a log begins with."""
        details = {"log": self.log, "origin": self.origin}
        return self.rows(("log.start", "success", "first_start", "info"), "", "", details, {})

    def event(self, kind: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any, bytes]:
        """One of KINDS."""
        roll = self._random.random
        person = self._people[int(roll() ** 3 * self.users)]
        known = kind[2] != "rate_limited"
        values = {
            **({"user": person} if known else {"subject": hashlib.sha256(person.encode()).hexdigest()}),
            "ip": f"203.0.{int(roll() * 113)}.{int(roll() ** 2 * 254) + 1}",
            "user_agent": AGENTS[int(roll() * len(AGENTS))],
        }
        session = self.id() if kind[0] in IN_SESSION else ""
        return self.rows(kind[:4], session, self.near()[:22], kind[5](self.near()), values)

    def rows(
        self,
        kind: Sequence[str],
        session: str,
        request_id: str,
        details: dict[str, Any],
        values: dict[str, str],
    ) -> tuple[tuple[Any, ...], Any, bytes]:
        """The rows of one event and of its personal data, and its leaf. `kind`: type, outcome, reason, severity."""
        self._ms += self._random.random() * 2 * self.gap_ms
        event_id = self.id()
        salts, commitments = {}, {}
        for name, value in values.items():
            salt = self._random.randbytes(16)
            salts[name] = base64.b64encode(salt).decode()
            opened = salt + _compact({name: value}).encode()
            commitments[name] = base64.b64encode(hashlib.sha256(opened).digest()).decode()
        moment = datetime.fromtimestamp(int(self._ms) / 1000, UTC)
        columns = dict(zip(("type", "outcome", "reason", "severity"), kind, strict=True))
        columns |= {"session": session, "request_id": request_id}
        spelled = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        leaf = {
            "v": 1,
            "id": event_id,
            "time": spelled,
            **columns,
            "details": details,
            "commitments": commitments,
        }
        event = (event_id, moment, *columns.values(), _compact(details), _compact(commitments))
        text = {
            name.removeprefix("text."): value for name, value in values.items() if name.startswith("text.")
        }
        personal = (event_id, *(values.get(name, "") for name in OWN), _compact(text), _compact(salts))
        return event, personal if values else None, _sorted(leaf).encode()

    def skip(self, milliseconds: int) -> None:
        """Let time pass."""
        self._ms += milliseconds

    def id(self) -> str:
        """A UUIDv7 of the current moment (RFC 9562 section 5.7)."""
        bits = self._random.getrandbits(74)
        number = int(self._ms) << 80 | 7 << 76 | (bits >> 62) << 64 | 2 << 62 | bits & (1 << 62) - 1
        text = f"{number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def near(self) -> str:
        return f"{self._random.getrandbits(96):024x}"


def fill(url: str, count: int, *, signer: Signer = SIGNER, **options: Any) -> str:
    """Load a log of `count` entries into PostgreSQL; its signed checkpoint. Without secondary indexes meanwhile."""
    maker = Maker(**options)
    with psycopg.connect(url) as connection:
        indexes = _drop_indexes(connection) if count > 5 * BATCH else []
        for rows in maker.batches(count):
            for table, columns in TABLES.items():
                with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
                    for row in rows[table]:
                        copy.write_row(row)
        for statement, values in finish(maker, signer):
            connection.execute(statement.encode(), values)
        for definition in indexes:
            connection.execute(definition.encode())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return sign_checkpoint(maker.origin, maker.edge.size, maker.edge.root(), [signer])


def finish(maker: Maker, signer: Signer) -> list[tuple[str, tuple[Any, ...]]]:
    """The statements that write head and checkpoint."""
    size, root = maker.edge.size, maker.edge.root()
    note = sign_checkpoint(maker.origin, size, root, [signer])
    started = datetime.fromtimestamp(maker.start_ms / 1000 + 0.1, UTC)
    log = "INSERT INTO audit_log (id, origin, size, root, started_at) VALUES (%s, %s, %s, %s, %s)"
    checkpoint = "INSERT INTO audit_checkpoint (log, size, root, note, time) VALUES (%s, %s, %s, %s, %s)"
    return [
        (log, (maker.log, maker.origin, size, root, started)),
        (checkpoint, (maker.log, size, root, note, datetime.now(UTC))),
    ]


def _drop_indexes(connection: psycopg.Connection) -> list[str]:
    """Drop what is no key; the statements that make it again."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('audit_event', 'audit_personaldata')"
        " AND indexdef NOT LIKE 'CREATE UNIQUE%'"
    ).fetchall()
    for name, _ in found:
        connection.execute(f'DROP INDEX "{name}"'.encode())
    return [definition for _, definition in found]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="postgres://…, migrated, without a log")
    parser.add_argument("count", type=int)
    parser.add_argument("--origin", default=ORIGIN)
    arguments = parser.parse_args()
    began = time.monotonic()
    print(fill(arguments.url, arguments.count, origin=arguments.origin))
    print(f"{arguments.count / (time.monotonic() - began):.0f} entries a second")
