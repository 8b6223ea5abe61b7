"""One column of one row, altered by an owner of the database: every column of the log's tables."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import tests.ready  # noqa: F401
from tests import ledger
from tests.ledger import NOW_MS, SIZE, Ledger

V: Final = 105  # the entry that is attacked
LATER: Final = datetime.fromtimestamp(NOW_MS / 1000, UTC)
Run = Any
Act = Callable[[Run, Ledger], None]


@dataclass(frozen=True)
class Alteration:
    """One deed, on rows of a log whose original is known."""

    group: str
    deed: str
    act: Act


def column(table: str, name: str, value: Any, where: str = "id = %s", key: Any = None) -> Alteration:
    """One column of one row."""

    def act(run: Run, log: Ledger) -> None:
        given = value(log) if callable(value) else value
        run(f'UPDATE {table} SET "{name}" = %s WHERE {where}', given, log.id(V) if key is None else key)

    return Alteration("a column is altered", f"`{table}.{name}`", act)


def other_event_id(log: Ledger) -> str:
    """An id of the same millisecond that no event has."""
    return log.id(V)[:-4] + "ffff"


def moved(log: Ledger) -> datetime:
    """The event's time and a microsecond."""
    moment: datetime = log.entries[V][0][1]
    return moment + timedelta(microseconds=1)


_OWN: Final = "event = %s"
_NODE: Final = 'level = 1 AND "index" = %s'
COLUMNS: Final = (
    column("audit_event", "id", other_event_id),
    column("audit_event", "time", moved),
    column("audit_event", "type", "login.password"),
    column("audit_event", "outcome", "success"),
    column("audit_event", "reason", ""),
    column("audit_event", "severity", "info"),
    column("audit_event", "session", ""),
    column("audit_event", "request_id", "r-2"),
    column("audit_event", "details", json.dumps({"b": True, "count": V + 1}, separators=(",", ":"))),
    column("audit_event", "commitments", "{}"),
    column("audit_personaldata", "event", other_event_id, _OWN),
    column("audit_personaldata", "user", "somebody-else", _OWN),
    column("audit_personaldata", "subject", "", _OWN),
    column("audit_personaldata", "ip", "192.0.2.8", _OWN),
    column("audit_personaldata", "user_agent", "curl", _OWN),
    column("audit_personaldata", "foreign_request_id", "ours", _OWN),
    column("audit_personaldata", "text", '{"note":"because"}', _OWN),
    column("audit_personaldata", "salts", lambda log: _swapped_salts(log), _OWN),
    column("audit_entry", "log", 2, _OWN),
    column("audit_entry", "index", SIZE + 5, _OWN),
    column("audit_entry", "event", other_event_id, _OWN),
    column("audit_entry", "leaf_hash", b"\x01" * 32, _OWN),
    column("audit_node", "log", 2, _NODE, 0),
    column("audit_node", "level", 2, _NODE, 0),
    column("audit_node", "index", 7, _NODE, 0),
    column("audit_node", "hash", b"\x01" * 32, _NODE, 0),
    column("audit_log", "id", 2, "id = %s", 1),
    column("audit_log", "origin", "other.example/audit", "id = %s", 1),
    column("audit_log", "size", SIZE - 1, "id = %s", 1),
    column("audit_log", "root", b"\x01" * 32, "id = %s", 1),
    column("audit_log", "started_at", LATER, "id = %s", 1),
    column("audit_log", "ended_at", LATER, "id = %s", 1),
    column("audit_checkpoint", "log", 2, "size = %s", 300),
    column("audit_checkpoint", "size", 301, "size = %s", 300),
    column("audit_checkpoint", "root", b"\x01" * 32, "size = %s", 300),
    column("audit_checkpoint", "note", lambda log: ledger.checkpoint(log.hashes, 299)[0], "size = %s", 300),
    column("audit_checkpoint", "time", LATER - timedelta(hours=1), "size = %s", 300),
    column("audit_cosignature", "log", 2, "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "size", 300, "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "witness", "other.example/w", "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "line", lambda log: _other_cosignature(log), "size = %s", ledger.COSIGNED),
    column("audit_cosignature", "time", LATER - timedelta(hours=1), "size = %s", ledger.COSIGNED),
    column("audit_pending", "event", other_event_id, _OWN, ledger.make().waiting[0][0][0]),
    column("audit_retention", "cutoff", LATER, "cutoff < %s", LATER),
    column("audit_retention", "time", LATER, "time < %s", LATER),
)


def _told(each: Alteration, what: str) -> Alteration:
    return replace(each, deed=f"{each.deed}, {what}")


_NO_TIME: Final = "a time that Python cannot read"
UNREADABLE: Final = (
    _told(column("audit_log", "started_at", "-infinity", "id = %s", 1), _NO_TIME),
    _told(column("audit_log", "ended_at", "infinity", "id = %s", 1), _NO_TIME),
    _told(column("audit_event", "time", "infinity"), _NO_TIME),
    _told(column("audit_retention", "cutoff", "infinity", "cutoff < %s", LATER), _NO_TIME),
)


def _swapped_salts(log: Ledger) -> str:
    salts = json.loads(log.entries[V][1][7])
    salts["ip"], salts["user"] = salts["user"], salts["ip"]
    return json.dumps(salts, separators=(",", ":"))


def _other_cosignature(log: Ledger) -> str:
    return ledger.cosign(ledger.checkpoint(log.hashes, 599)[0].partition("\n\n")[0] + "\n")
