"""A small log with one of everything, in a database of its own, and copies of it for who alters them.

640 entries: pruned ones, erased ones, the audit.prune and audit.erase that cover them, checkpoints, a cosignature; two
events that wait for an entry. Whoever holds an `Owner` is the database's owner: there are no triggers
and no constraints on times.
"""

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dj_database_url import parse as parse_url
from django.core.management import call_command
from django.db import connection, connections

from audit import merkle, notes
from audit.notes import Signer
from audit.triggers import GUARDED, time_constraints, trigger_names
from audit.verify.postgres import Postgres
from audit.verify.sqlite import Sqlite
from tests import services
from tests.bench.logbook import EVENT, KINDS, PERSONAL, START_MS, TABLES, Maker

ORIGIN: Final = "log.example/audit"
SIZE: Final = 640
PRUNED: Final = range(1, 6)
PRUNE, ERASE, ERASED = 320, 400, (40, 41)
SIGNED: Final = (1, 300, 600, SIZE)
COSIGNED: Final = 600
NOW_MS: Final = START_MS + 86_400_000
WITNESS: Final = "witness.example/w"
UNSYNCED: Final = "-c synchronous_commit=off"
TABLES_OF_LOG: Final = (*GUARDED, "audit_pending")
Rows = tuple[tuple[Any, ...], Any, bytes]


def key_of(label: str) -> Signer:
    """A key that nobody keeps secret."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(label.encode()).digest())
    return Signer(private.public_key().public_bytes_raw(), private.sign)


KEY, OTHER_KEY, WITNESS_KEY = key_of("log"), key_of("attacker"), key_of("witness")
VKEYS: Final = (
    notes.verifier_key(ORIGIN, KEY.public),
    notes.verifier_key(WITNESS, WITNESS_KEY.public, notes.ED25519_COSIGNATURE),
)


@dataclass
class Ledger:
    """The rows of a log before they are in a database."""

    origin: str = ORIGIN
    entries: list[Rows] = field(default_factory=list)
    waiting: list[Rows] = field(default_factory=list)
    cutoff_ms: int = 0

    def id(self, index: int) -> str:
        """The event of an entry."""
        return str(self.entries[index][0][0])

    @property
    def hashes(self) -> list[bytes]:
        return [merkle.leaf_hash(leaf) for _, _, leaf in self.entries]


def make() -> Ledger:
    """The log that every test begins with."""
    maker, ledger = Maker(origin=ORIGIN, users=20), Ledger()
    ledger.entries.append(maker.start())
    for index in range(1, SIZE):
        ledger.entries.append(_entry(maker, ledger, index))
    ledger.waiting = [maker.event(KINDS[0]), maker.event(KINDS[1])]
    return ledger


def _entry(maker: Maker, ledger: Ledger, index: int) -> Rows:
    if index == PRUNED.stop:
        ledger.cutoff_ms = int(ledger.id(index - 1).replace("-", "")[:12], 16) + 1
        maker.skip(10)
    if index == PRUNE:
        details = {"events": len(PRUNED), "before_ms": ledger.cutoff_ms, "log": 1, "entries": PRUNED.stop}
        return maker.rows(("audit.prune", "success", "by_command", "high"), "", "", details, {})
    if index == ERASE:
        erased: dict[str, Any] = {"events": 2, "erased": [ledger.id(each) for each in ERASED]}
        return maker.rows(("audit.erase", "success", "by_command", "high"), "", "", erased, {})
    if index % 7:
        return maker.event(KINDS[index % len(KINDS)])
    values = {
        "user": maker.id(),
        "subject": f"{index:064x}",
        "ip": "192.0.2.7",
        "user_agent": 'Ünïcode "quoted" \\ \U0001f600\t',
        "foreign_request_id": "theirs",
        "text.note": "weil's so ist\n",
    }
    return maker.rows(
        ("admin.note", "failure", "wrong_code", "low"), maker.id(), "r-1", {"b": True, "count": index}, values
    )


@dataclass(frozen=True)
class Owner:
    """A database that its owner does with as they like."""

    vendor: str
    place: str  # a path or a URL

    @contextlib.contextmanager
    def connect(self) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        """A function that runs statements with %s; committed at the end."""
        database: Any = (
            psycopg.connect(self.place, options=UNSYNCED)
            if self.vendor == "postgres"
            else sqlite3.connect(self.place)
        )

        def run(statement: str, *values: Any) -> list[tuple[Any, ...]]:
            given = values if self.vendor == "postgres" else [_for_sqlite(value) for value in values]
            spelled = statement if self.vendor == "postgres" else statement.replace("%s", "?")
            cursor = database.execute(spelled, given)
            return list(cursor.fetchall()) if cursor.description else []

        try:
            yield run
            database.commit()
        finally:
            database.close()

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement."""
        with self.connect() as run:
            return run(statement, *values)

    def opener(self) -> Callable[..., Any]:
        """As audit.verify opens it."""
        if self.vendor == "postgres":
            return partial(Postgres, {"conninfo": self.place})
        return partial(Sqlite, Path(self.place))

    @contextlib.contextmanager
    def copy(self, directory: Path) -> Iterator["Owner"]:
        """The same content in another file; on PostgreSQL itself, as it was when this is left."""
        if self.vendor == "sqlite":
            path = directory / "copy.sqlite3"
            shutil.copyfile(self.place, path)
            yield Owner("sqlite", str(path))
            path.unlink()
            return
        # in place: to make a database takes PostgreSQL seconds
        with self.connect() as run:
            if not run("SELECT 1 FROM pg_namespace WHERE nspname = 'kept'"):
                run("CREATE SCHEMA kept")
                for table in TABLES_OF_LOG:
                    run(f"CREATE TABLE kept.{table} AS TABLE {table}")
        try:
            yield self
        finally:
            with self.connect() as run:
                for table in TABLES_OF_LOG:
                    run(f"DELETE FROM {table}")
                    run(f"INSERT INTO {table} SELECT * FROM kept.{table}")


def _for_sqlite(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ") if isinstance(value, datetime) else value


@contextlib.contextmanager
def database(vendor: str, directory: Path) -> Iterator[Owner]:
    """A migrated database without triggers, without constraints on times and without a log."""
    if vendor == "sqlite":
        owner = Owner("sqlite", str(directory / "log.sqlite3"))
        _migrate({"NAME": owner.place})
        yield owner
        return
    services.require("postgres")
    with services.private_database() as url:
        _migrate({**parse_url(url), "OPTIONS": {}, "CONN_MAX_AGE": None})
        yield Owner("postgres", url)


def _migrate(changes: dict[str, Any]) -> None:
    before = connections.settings["default"]
    _point_at({**before, **changes})
    try:
        call_command("migrate", "audit", verbosity=0)
        with connection.cursor() as cursor:
            for name, table in trigger_names(connection.vendor).items():
                where = "" if connection.vendor == "sqlite" else f" ON {table}"
                cursor.execute(f"DROP TRIGGER {name}{where}")
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA journal_mode = DELETE")  # a copy of the file is a copy of the log
                return
            for name, (table, _) in time_constraints().items():
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    finally:
        _point_at(before)


def _point_at(settings: dict[str, Any]) -> None:
    connection.close()
    connections.settings["default"] = settings
    del connections["default"]


def fill(owner: Owner, ledger: Ledger) -> None:
    """Write the whole log."""
    with owner.connect() as run:
        for index, rows in enumerate(ledger.entries):
            is_pruned, is_erased = index in PRUNED, index in ERASED
            put_event(run, rows, event=not is_pruned, personal=not (is_pruned or is_erased))
        for rows in ledger.waiting:
            put_event(run, rows)
            run("INSERT INTO audit_pending (event) VALUES (%s)", rows[0][0])
        started = datetime.fromtimestamp(START_MS / 1000 + 1, UTC)
        run(
            "INSERT INTO audit_log (id, origin, size, root, started_at) VALUES (1, %s, 0, %s, %s)",
            ledger.origin, merkle.EMPTY_ROOT, started,
        )  # fmt: skip
        cutoff = datetime.fromtimestamp(ledger.cutoff_ms / 1000, UTC)
        run("INSERT INTO audit_retention (cutoff, time) VALUES (%s, %s)", cutoff, started)
        put_tree(run, [ledger.id(index) for index in range(len(ledger.entries))], ledger.hashes)
        put_checkpoints(run, ledger.hashes, KEY)


def put_event(run: Any, rows: Rows, *, event: bool = True, personal: bool = True) -> None:
    """An event with its personal data."""
    if event:
        run(f"INSERT INTO audit_event ({EVENT}) VALUES ({_marks(EVENT)})", *rows[0])
    if personal and rows[1]:
        run(f"INSERT INTO audit_personaldata ({PERSONAL}) VALUES ({_marks(PERSONAL)})", *rows[1])


def put_tree(run: Any, events: Sequence[str], hashes: Sequence[bytes]) -> None:
    """Entries, nodes and head, in place of those that are there."""
    run("DELETE FROM audit_entry")
    run("DELETE FROM audit_node")
    edge = merkle.Edge()
    for index, (event, leaf_hash) in enumerate(zip(events, hashes, strict=True)):
        entry, node = TABLES["audit_entry"], TABLES["audit_node"]
        run(f"INSERT INTO audit_entry ({entry}) VALUES ({_marks(entry)})", 1, index, event, leaf_hash)
        for each in edge.append(leaf_hash):
            run(f"INSERT INTO audit_node ({node}) VALUES ({_marks(node)})", 1, *each)
    run("UPDATE audit_log SET size = %s, root = %s", edge.size, edge.root())


def put_checkpoints(run: Any, hashes: Sequence[bytes], key: Signer, sizes: Sequence[int] = SIGNED) -> None:
    """Checkpoints of these sizes, in place of those that are there; one is cosigned."""
    run("DELETE FROM audit_checkpoint")
    run("DELETE FROM audit_cosignature")
    when = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    for size in sizes:
        note, root = checkpoint(hashes, size, key)
        run(
            "INSERT INTO audit_checkpoint (log, size, root, note, time) VALUES (1, %s, %s, %s, %s)",
            size, root, note, when,
        )  # fmt: skip
        if size == COSIGNED:
            run(
                "INSERT INTO audit_cosignature (log, size, witness, line, time) VALUES (1, %s, %s, %s, %s)",
                size, WITNESS, cosign(note.partition("\n\n")[0] + "\n"), when,
            )  # fmt: skip


def checkpoint(
    hashes: Sequence[bytes], size: int, key: Signer = KEY, origin: str = ORIGIN
) -> tuple[str, bytes]:
    """A signed checkpoint of the first `size` leaf hashes, and its root."""
    root = merkle.root_of(size, reader_of(hashes[:size]))
    return notes.sign_checkpoint(origin, size, root, [key]), root


def reader_of(hashes: Sequence[bytes]) -> merkle.Reader:
    """A tree in memory."""
    levels = [list(hashes)]
    while len(levels[-1]) >= merkle.TILE:
        row = levels[-1]
        whole = range(0, len(row) - merkle.TILE + 1, merkle.TILE)
        levels.append([merkle.fold(row[at : at + merkle.TILE]) for at in whole])
    return lambda level, first, count: levels[level][first : first + count]


def cosign(text: str, seconds: int = NOW_MS // 1000) -> str:
    """A witness's line under a checkpoint (C2SP tlog-cosignature)."""
    signature = WITNESS_KEY.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    identity = notes.key_id(WITNESS, WITNESS_KEY.public, notes.ED25519_COSIGNATURE)
    return notes.signature_line(WITNESS, identity, seconds.to_bytes(8, "big") + signature)


def _marks(columns: str) -> str:
    return ", ".join(["%s"] * len(columns.split(",")))
