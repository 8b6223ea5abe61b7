"""Unique secrets, and every place that must not hold one.

A Canary is a client that notes each secret it sends or gets, whatever the journey. `leaks` then looks for all of them,
in clear, hexadecimal and base64, in the logs, all tables, the database's files, Redis and the mails.
"""

import base64
import email
import email.policy
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import redis

from tests.authenticator import link_tokens
from tests.client import Client
from tests.server import Server

FIELDS = {
    "password", "current_password", "new_password", "code", "token", "access", "refresh", "partial_token",
    "device_token", "secret", "recovery_codes", "otpauth_uri",
}  # fmt: skip
CODE = re.compile(r"[0-9]{6}")
# Moments and long numbers hold six digits by chance; a code that leaked stands by itself.
MOMENT = re.compile(rb"[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]+|[0-9]+[.][0-9]+")


def passphrase() -> str:
    """A password that stands nowhere else in the world."""
    return f"canary {secrets.token_hex(12)}"


class Canary(Client):
    """A client that notes every secret."""

    noted: set[str]

    def request(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        self.__dict__.setdefault("noted", set())
        self.note({"token": token, **(options.get("json") or {})})
        headers = options.get("headers") or {}
        self.noted.update(headers[name] for name in ("X-Device-Token", "Idempotency-Key") if name in headers)
        answer = super().request(method, path, token, **options)
        if answer.headers.get("Content-Type") == "application/json":
            self.note(answer.json())
        return answer

    def note(self, body: Any) -> None:
        """Keep the values of the fields that hold secrets."""
        for name, value in body.items() if isinstance(body, dict) else ():
            values = value if isinstance(value, list) else [value]
            if name in FIELDS:
                self.noted.update(one for one in values if isinstance(one, str) and len(one) >= 6)

    def mailed(self) -> dict[str, str]:
        """Every mailed token, and the file that alone may hold it."""
        outbox = self.server.data_dir / "outbox"
        return {
            token: path.name
            for path in outbox.glob("*.eml")
            for token in link_tokens(_parsed(path.read_bytes()))
        }


def _parsed(data: bytes) -> Any:
    return email.message_from_bytes(data, policy=email.policy.default)


def forms(secret: str) -> Iterator[bytes]:
    """How a secret could stand somewhere."""
    plain = [secret.encode()]
    if re.fullmatch(r"[A-Z2-7]{32}", secret):
        plain.append(base64.b32decode(secret))
    if re.fullmatch(r"([A-Z2-7]{4}-){5}[A-Z2-7]{4}", secret):
        plain += [secret.replace("-", "").encode(), base64.b32decode(secret.replace("-", ""))]
    for form in plain:
        yield from (form, form.hex().encode(), base64.b64encode(form).rstrip(b"="))
        yield base64.urlsafe_b64encode(form).rstrip(b"=")
    if secret.count(".") == 2:
        yield secret.rpartition(".")[2].encode()


def places(server: Server) -> Iterator[tuple[str, bytes]]:
    """Everything that the service wrote, by name."""
    yield "log", server.logs().encode()
    for path in server.data_dir.rglob("*"):
        if path.is_file() and path.stat().st_size and path.name != "master.key":
            yield f"file {path.relative_to(server.data_dir)}", path.read_bytes()
    yield from _tables(server)
    if url := server.environment.get("REDIS_URL"):
        with redis.Redis.from_url(url) as connection:
            for key in connection.scan_iter():
                yield f"redis {key!r}", key + b" " + (connection.dump(key) or b"")


def _tables(server: Server) -> Iterator[tuple[str, bytes]]:
    url = server.environment.get("DATABASE_URL")
    if not url:
        return
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall()
            yield f"table {table}", "\n".join(row[0] for row in rows).encode()


def leaks(server: Server, canary: Canary) -> list[str]:
    """Each secret that stands where it must not: its beginning and the place."""
    own_mail, found = canary.mailed(), []
    for place, data in places(server):
        unescaped = data if place.startswith("file") else data.replace(b"\\\\", b"\\")
        calm = MOMENT.sub(b"", data)
        for secret in canary.noted | own_mail.keys():
            if own_mail.get(secret) and place.endswith(own_mail[secret]):
                continue
            if CODE.fullmatch(secret):
                leaked = re.search(rb"(?<![\w-])" + secret.encode() + rb"(?![\w-])", calm) is not None
            else:
                leaked = any(form in unescaped for form in forms(secret))
            if leaked:
                found.append(f"{secret[:12]}… in {place}")
    return found


def assert_nothing_leaked(server: Server, canary: Canary, *, at_least: int, witness: str) -> None:
    """No secret anywhere. `witness` is no secret and does stand in the database: so the search sees what is there."""
    assert len(canary.noted) >= at_least
    assert json.dumps(leaks(server, canary), indent=1) == "[]"
    canary.noted = {witness, server.origin}
    seen = leaks(server, canary)
    assert any("secure_auth" in place for place in seen), "the search sees the accounts"
    assert any(place.endswith("in log") for place in seen), "the search sees the log"
