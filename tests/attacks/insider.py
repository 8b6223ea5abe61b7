"""Who sends input that no honest client sends, and what must be as before afterwards."""

import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.client import Client, Person, expect
from tests.conftest import new_address
from tests.server import Server

STALE_SECONDS = 120
SECRET = "hunter2-hunter2-canary"
JSON = {"Content-Type": "application/json"}

# path, token, a body of the right form
ENDPOINTS: dict[str, tuple[str, dict[str, Any]]] = {
    "register/": ("", {"email": "a@example.org", "password": SECRET}),
    "register/confirm/": ("", {"token": "x", "password": SECRET}),
    "login/": ("", {"email": "a@example.org", "password": SECRET}),
    "login/verify/": ("partial", {"method": "totp", "code": "000000", "remember_device": False}),
    "mfa/totp/": ("access", {"name": "phone", "token": ""}),
    "mfa/totp/00000000-0000-7000-8000-000000000000/confirm/": ("access", {"code": "000000"}),
    "mfa/recovery-codes/": ("access", {}),
    "reauthenticate/": ("access", {"method": "totp", "code": "000000", "password": SECRET}),
    "token/refresh/": ("", {"refresh": "x"}),
    "token/verify/": ("", {"token": "x"}),
    "password/change/": ("access", {"current_password": SECRET, "new_password": SECRET}),
    "password/reset/": ("", {"email": "a@example.org"}),
    "password/reset/confirm/": ("", {"token": "x", "new_password": SECRET}),
    "password/strength/": ("", {"password": SECRET, "email": "a@example.org"}),
    "admin/invitations/": ("access", {"email": "a@example.org", "role": "none", "reason": "because"}),
    "admin/users/00000000-0000-7000-8000-000000000000/unlock/": ("access", {"reason": "because"}),
}
FIELDS = [(path, field) for path, (_, body) in ENDPOINTS.items() for field in body]
TABLES = (
    "secure_auth_user",
    "secure_auth_registration",
    "secure_auth_invitation",
    "secure_auth_mailtoken",
    "secure_auth_session",
    "secure_auth_pendinglogin",
    "secure_auth_knowndevice",
    "mfa_totpauthenticator",
    "mfa_recoverycode",
)


# What no store ever sees is tried on one backend.
parsing = pytest.mark.parametrize("server", ["sqlite"], indirect=True)
anywhere_on_loopback = pytest.mark.skipif(
    sys.platform != "linux", reason="needs all of 127.0.0.0/8 on the loopback interface"
)


@dataclass
class Insider:
    """An admin with every kind of token, so that bodies are judged at all."""

    client: Client
    person: Person
    partial: str = ""
    since: float = 0.0

    def token(self, kind: str) -> str:
        """A fresh token of a kind; empty for none."""
        if time.monotonic() - self.since > STALE_SECONDS:
            self.client.sign_in(self.person)
            self.partial = expect(self.client.login(self.person), 200)["partial_token"]
            self.since = time.monotonic()
        return {"": "", "access": self.person.access, "partial": self.partial}[kind]

    def send(self, path: str, content: bytes, **headers: str | bytes) -> httpx.Response:
        """POST bytes to an endpoint with its token, from an address of its own."""
        token = self.token(ENDPOINTS[path][0])
        headers = {**JSON, "X-Forwarded-For": new_address(), **headers}
        return self.client.post(path, token=token, content=content, headers=headers)


def snapshot(server: Server) -> list[tuple[Any, ...]]:
    """How much of everything there is."""
    counts = [f"SELECT count(*) FROM {table}" for table in TABLES]
    # What the worker tells, it tells at its own time, and of no request.
    event = "SELECT max(id) FROM audit_event WHERE request_id <> '' AND type <> 'log.collapsed'"
    versions = "SELECT sum(credential_version) FROM secure_auth_user"
    return server.rows(f"SELECT {', '.join(f'({question})' for question in [*counts, event, versions])}")
