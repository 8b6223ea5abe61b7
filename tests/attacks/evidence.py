"""What the service itself knows afterwards: its events, sessions and limits, read from its database."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.server import Server

EVENTS = """
SELECT e.id, e.type, e.outcome, e.reason, e.severity, e.session, e.details, p."user", p.ip, p.text
  FROM audit_event e LEFT JOIN audit_personaldata p ON p.event = e.id {} ORDER BY e.id
"""
BUCKETS = "SELECT owner, purpose, key, state FROM throttling_bucket WHERE purpose = %s AND key = %s"


@dataclass(frozen=True)
class Event:
    """One event with its personal data."""

    id: str
    type: str
    outcome: str
    reason: str
    severity: str
    session: str
    details: dict[str, Any]
    user: str
    ip: str
    text: dict[str, Any]


def events(server: Server, **wanted: str) -> list[Event]:
    """The events whose fields have these values, oldest first."""
    conditions = [f"{_column(name)} = %s" for name in wanted]
    where = f"WHERE {' AND '.join(conditions)}" if wanted else ""
    return [
        Event(*[*row[:6], _loaded(row[6]), row[7] or "", row[8] or "", _loaded(row[9] or "{}")])
        for row in server.rows(EVENTS.format(where), list(wanted.values()))
    ]


def _column(name: str) -> str:
    return f"COALESCE(p.\"{name}\", '')" if name in ("user", "ip") else f"e.{name}"


def _loaded(value: Any) -> dict[str, Any]:
    """A JSON column: an object already on PostgreSQL, text on SQLite."""
    return dict(value if isinstance(value, dict) else json.loads(value))


def claims(token: str) -> dict[str, Any]:
    """A token's claims, unverified."""
    part = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def live_sessions(server: Server, user_id: str) -> set[str]:
    """Ids of the sessions that nothing ended."""
    statement = "SELECT id FROM secure_auth_session WHERE user_id = %s AND revoked_at IS NULL"
    return {row[0] for row in server.rows(statement, [user_id])}


def bucket(server: Server, purpose: str, key: str) -> dict[str, Any]:
    """The state of the one limit of this purpose and key."""
    ((_, _, _, state),) = server.rows(BUCKETS, [purpose, key])
    return _loaded(state)


def change_bucket(server: Server, purpose: str, key: str, **changes: Any) -> None:
    """Make a limit look as if time had passed."""
    ((owner, _, _, _),) = server.rows(BUCKETS, [purpose, key])
    state = json.dumps({**bucket(server, purpose, key), **changes})
    cast = "%s::jsonb" if server.environment.get("DATABASE_URL") else "%s"
    statement = f"UPDATE throttling_bucket SET state = {cast} WHERE owner = %s AND purpose = %s AND key = %s"
    server.rows(statement, [state, owner, purpose, key])


def spend_all_but_one(server: Server, purpose: str, *, seen_from: str, allowed: int) -> None:
    """Make a consecutive limit of an account look as if all its failures but one had come; a guess came from there."""
    ((owner, _, _, _),) = server.rows(BUCKETS, ["password_account_source", seen_from])
    where = "WHERE owner = %s AND purpose = %s"
    ((state,),) = server.rows(f"SELECT state FROM throttling_bucket {where}", [owner, purpose])
    changed = _loaded(state)
    ((name, (until, _)),) = changed["marks"].items()
    changed["marks"] = {name: [until, allowed - 1]}
    cast = "%s::jsonb" if server.environment.get("DATABASE_URL") else "%s"
    server.rows(f"UPDATE throttling_bucket SET state = {cast} {where}", [json.dumps(changed), owner, purpose])
