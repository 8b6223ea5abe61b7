"""Somebody who looks at the console, request by request: what is answered, and what it told the log."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.client import Person
from tests.server import Server
from tests.visitor import Visitor

LONG_AGO = "2026-01-01 00:00:00+00:00"


class Watcher(Visitor):
    """A visitor whose redirects are answers."""

    token = ""

    def get(self, path: str) -> httpx.Response:
        return self._noted(self.ask("GET", path).response)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with the token of the last page that had one."""
        return self._noted(self.ask("POST", path, data={"form_token": self.token, **fields}).response)

    def _noted(self, response: httpx.Response) -> httpx.Response:
        tokens = [form.values.get("form_token", "") for form in self.page.reader.forms]
        self.token = next(filter(None, tokens), self.token)
        return response

    def enter(self, person: Person) -> "Watcher":
        """Both steps; with a recovery code, which needs no waiting."""
        self.prove_password(person)
        self.open("/sign-in/code/?with=recovery_code")
        self.fill(code=person.recovery_codes.pop())
        assert self.page.path == "/", self.page.text
        return self

    @property
    def session(self) -> str:
        """The id of its session."""
        return self.cookies["__Host-web"].partition(".")[0]


LookIn = Callable[[Person], Watcher]


def events_of(server: Server, session: str) -> list[tuple[Any, ...]]:
    """Type, outcome and reason of what a session did."""
    return server.rows(
        "SELECT type, outcome, reason FROM audit_event WHERE session = %s ORDER BY id", [session]
    )


def views_of(server: Server, session: str) -> set[str]:
    """What a session read."""
    field = (
        "details->>'view'" if server.environment.get("DATABASE_URL") else "json_extract(details, '$.view')"
    )
    sql = f"SELECT {field} FROM audit_event WHERE session = %s AND type = 'audit.read'"
    return {row[0] for row in server.rows(sql, [session])}


def age(server: Server, session: str, *, visit: bool = True, proof: bool = True) -> None:
    """As if the last visit or the last proof of a second factor were long ago."""
    if visit:
        server.rows(
            "UPDATE secure_auth_consolevisit SET seen_at = %s WHERE session = %s", [LONG_AGO, session]
        )
    if proof:
        server.rows("UPDATE secure_auth_session SET auth_time = %s WHERE id = %s", [LONG_AGO, session])
