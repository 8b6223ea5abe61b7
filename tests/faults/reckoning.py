"""Do the tables and the log tell the same? No action without its event, no event without its action."""

import json
from collections import Counter
from typing import Any

from tests.server import Server


class Reckoning:
    """The events of a service beside the rows that they speak of."""

    def __init__(self, server: Server) -> None:
        self._server = server
        rows = server.rows(
            'SELECT e.type, e.reason, e.session, e.details, p."user" FROM audit_event e'
            " LEFT JOIN audit_personaldata p ON p.event = e.id WHERE e.outcome = 'success'"
        )
        self._events = [(*row[:3], _details(row[3]), row[4] or "") for row in rows]

    def differences(self) -> dict[str, Any]:
        """What only one side knows, by name; empty where both agree."""
        pairs = {
            "users": (self._rows("SELECT id FROM secure_auth_user"), self._users()),
            "sessions": (self._rows("SELECT id FROM secure_auth_session"), self._sessions("session.open")),
            "ended sessions": (
                self._rows("SELECT id FROM secure_auth_session WHERE revoked_at IS NOT NULL"),
                self._sessions("session.revoke", "session.end"),
            ),
            "factors": (
                self._rows("SELECT id FROM mfa_totpauthenticator WHERE confirmed_at IS NOT NULL"),
                self._details_of("authenticator", "mfa.totp.confirm"),
            ),
            "devices": (
                self._rows("SELECT id FROM secure_auth_knowndevice"),
                self._details_of("device", "device.remember"),
            ),
        }
        found: dict[str, Any] = {
            name: {"rows only": rows - told, "events only": told - rows}
            for name, (rows, told) in pairs.items()
            if rows != told
        }
        found["generations"] = self._generations()
        found["spent codes"] = self._counts(
            "SELECT user_id, count(*) FROM mfa_recoverycode WHERE used_at IS NOT NULL GROUP BY user_id",
            "mfa.recovery_codes.use",
        )
        found["logins under way"] = self._counts(
            "SELECT user_id, count(*) FROM secure_auth_pendinglogin GROUP BY user_id",
            "login.password",
            "account.confirm",
        )
        return {name: difference for name, difference in found.items() if difference}

    def _rows(self, statement: str) -> set[str]:
        return {row[0] for row in self._server.rows(statement)}

    def _users(self) -> set[str]:
        return {
            user for type_, _, _, _, user in self._events if type_ in ("account.create", "account.confirm")
        }

    def _sessions(self, *types: str) -> set[str]:
        return {session for type_, _, session, _, _ in self._events if type_ in types and session}

    def _details_of(self, name: str, *types: str) -> set[str]:
        return {
            details[name] for type_, _, _, details, _ in self._events if type_ in types and name in details
        }

    def _generations(self) -> dict[str, tuple[int, int]]:
        """Sessions that were rotated more or less often than the log says."""
        told = Counter(
            session
            for type_, reason, session, _, _ in self._events
            if type_ == "token.refresh" and reason != "replayed"
        )
        rows = self._server.rows("SELECT id, generation FROM secure_auth_session")
        return {one: (generation, told[one]) for one, generation in rows if generation != told[one]}

    def _counts(self, statement: str, *types: str) -> dict[str, tuple[int, int]]:
        """Accounts that have more or fewer rows than events."""
        told = Counter(user for type_, _, _, _, user in self._events if type_ in types)
        rows = Counter(dict(self._server.rows(statement)))
        return {one: (rows[one], told[one]) for one in rows.keys() | told.keys() if rows[one] != told[one]}


def _details(stored: Any) -> dict[str, Any]:
    return stored if isinstance(stored, dict) else dict(json.loads(stored))
