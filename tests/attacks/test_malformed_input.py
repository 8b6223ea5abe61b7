"""Attacker: anyone who can send bytes. Move: input that no honest client sends.

Expected: a problem document (RFC 9457) with the right status; nothing changed, nothing leaked, no traceback.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address, scaled
from tests.problems import problem, raw_problem
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
    "admin/users/00000000-0000-7000-8000-000000000000/unlock/": ("access", {"reason": "because"}),
}
FIELDS = [(path, field) for path, (_, body) in ENDPOINTS.items() for field in body]
TABLES = (
    "secure_auth_user",
    "secure_auth_registration",
    "secure_auth_mailtoken",
    "secure_auth_session",
    "secure_auth_pendinglogin",
    "secure_auth_knowndevice",
    "mfa_totpauthenticator",
    "mfa_recoverycode",
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


@pytest.fixture(scope="module")
def insider(server: Server) -> Iterator[Insider]:
    client = Client(server, new_address())
    person = Person(new_email("admin"))
    server.create_user(person.email, person.password, role="admin")
    yield Insider(client, person)
    client.close()


@pytest.fixture(autouse=True)
def _no_traceback(server: Server) -> Iterator[None]:
    """Whatever a test here sends, the server's log shows no fault of ours."""
    before = len(server.logs())
    yield
    assert "Traceback" not in server.logs()[before:]


def snapshot(server: Server) -> list[tuple[Any, ...]]:
    """How much of everything there is."""
    counts = [server.rows(f"SELECT count(*) FROM {table}")[0] for table in TABLES]
    # The worker counts what floods were like before at its own time.
    events = server.rows("SELECT count(*) FROM audit_event WHERE type <> 'log.collapsed'")[0]
    return [*counts, events, server.rows("SELECT sum(credential_version) FROM secure_auth_user")[0]]


def nested(depth: int) -> bytes:
    return b'{"email":' + b"[" * depth + b"]" * depth + b"}"


# What no store ever sees is tried on one backend.
parsing = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

MALFORMED = {
    "no JSON": b"email=a@example.org",
    "cut off": b'{"email": "a@exam',
    "trailing garbage": b'{"email": "a@example.org"} x',
    "two documents": b"{}{}",
    "single quotes": b"{'email': 'a'}",
    "NaN": b'{"email": NaN}',
    "Infinity": b'{"email": -Infinity}',
    "huge number": b'{"email": ' + b"9" * 5000 + b"}",
    "duplicate names": b'{"email": "a@example.org", "email": "b@example.org"}',
    "duplicate names by escape": b'{"email": "a@example.org", "\\u0065mail": "b@example.org"}',
    "array": b'[{"email": "a@example.org"}]',
    "string": b'"email"',
    "null": b"null",
    "number": b"1",
    "deep array": nested(20_000),
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "not UTF-8": b'{"email": "\xff\xfe"}',
    "encoded surrogate": b'{"email": "\xed\xa0\x80"}',
    "UTF-16": '{"email": "a@example.org"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"email": "a@example.org"}',
    "lone surrogate as value": b'{"email": "\\ud800@example.org"}',
    "lone surrogate as name": b'{"\\udfff": "a"}',
    "blanks": b"   \n",
    "raw NUL": b'{"email": "a\x00b"}',
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}


@parsing
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_malformed_json_is_refused_at_every_endpoint(
    insider: Insider, server: Server, content: bytes
) -> None:
    insider.token("access")
    before = snapshot(server)
    for path in ENDPOINTS:
        body = problem(insider.send(path, content), "validation_failed")
        assert "a@exam" not in json.dumps(body)
    assert snapshot(server) == before


@parsing
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "json",
        "application/json, text/plain",
        "application/\xff",
    ],
)
def test_anything_but_json_is_unsupported(insider: Insider, server: Server, content_type: str) -> None:
    insider.token("access")
    before = snapshot(server)
    for path, (_, body) in ENDPOINTS.items():
        response = insider.send(
            path, json.dumps(body).encode() or b"{}", **{"Content-Type": content_type.encode("latin-1")}
        )
        problem(response, "unsupported_media_type")
    assert snapshot(server) == before


@parsing
def test_json_with_parameters_and_capitals_is_json(client: Client) -> None:
    content = json.dumps({"email": new_email(), "password": SECRET}).encode()
    for content_type in ("application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"):
        response = client.post("login/", content=content, headers={"Content-Type": content_type})
        assert code_of(response) == "invalid_credentials"


@parsing
@pytest.mark.parametrize("path", ENDPOINTS)
def test_unknown_field_is_named_and_nothing_is_done(insider: Insider, server: Server, path: str) -> None:
    insider.token("access")
    before = snapshot(server)
    content = json.dumps({**ENDPOINTS[path][1], "is_admin": True, "rôle\u0000": 1}).encode()
    errors = problem(insider.send(path, content), "validation_failed")["errors"]
    assert set(errors) == {"is_admin", "rôle\u0000"}
    assert snapshot(server) == before


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_wrong_type_is_refused_by_field(insider: Insider, server: Server, path: str, field: str) -> None:
    insider.token("access")
    before = snapshot(server)
    right = ENDPOINTS[path][1]
    wrong = [None, 1, 1.5, [], {}, ["totp"], {"$ne": 1}, "a\u0000b"]
    wrong += ["true", 0] if isinstance(right[field], bool) else [True, False]
    for value in wrong:
        content = json.dumps({**right, field: value}).encode()
        body = problem(insider.send(path, content), "validation_failed")
        assert set(body["errors"]) == {field}, value
        assert SECRET not in json.dumps(body)
    assert snapshot(server) == before


@parsing
@pytest.mark.parametrize("path", [path for path in ENDPOINTS if not path.startswith("mfa/")])
def test_missing_body_is_refused(insider: Insider, path: str) -> None:
    for content in (b"", b"{}"):
        assert problem(insider.send(path, content), "validation_failed")["errors"]


@parsing
def test_refused_choice_is_not_repeated(insider: Insider) -> None:
    content = json.dumps({"method": SECRET, "code": "000000"}).encode()
    assert SECRET not in insider.send("reauthenticate/", content).text


@parsing
@pytest.mark.parametrize("size", [65_537, 1_000_000, 1_040_000])
def test_large_body_is_refused_before_it_is_parsed(insider: Insider, server: Server, size: int) -> None:
    insider.token("access")
    before = snapshot(server)
    for path in ("login/", "register/", "login/verify/", "mfa/totp/", "logout/", "me/", "nowhere/"):
        content = b'{"email": "' + b"a" * (size - 13) + b'"}'
        response = insider.client.post(path, content=content, headers=JSON)
        problem(response, "payload_too_large")
    assert snapshot(server) == before


@parsing
def test_ten_thousand_characters_of_password_are_refused(insider: Insider, client: Client) -> None:
    long = "päss\U0001f511" * 2000
    for path, (_, body) in ENDPOINTS.items():
        for field in body:
            if field.endswith("password"):
                response = insider.send(path, json.dumps({**body, field: long}).encode())
                assert field in problem(response, "validation_failed")["errors"]
    assert (
        "password"
        in problem(client.register(Person(new_email(), "x1y2" * 33)), "validation_failed")["errors"]
    )


def test_passwords_of_any_script_work_in_either_normal_form(server: Server, client: Client) -> None:
    person = Person(
        new_email(), "\u202bתפרח\u202c \U0001f511\U0001f468\u200d\U0001f469\u200d\U0001f467 cafe\u0301"
    )
    server.create_user(person.email, person.password)
    assert expect(client.login(person, person.password.replace("e\u0301", "é")), 200)["next"] == "enroll"
    assert code_of(client.login(person, person.password.strip("\u202b"))) == "invalid_credentials"


def test_right_to_left_and_emoji_stay_what_they_are(insider: Insider) -> None:
    token = insider.token("access")
    name = "\u202eenohp\u202c \U0001f4f1 ‏שלום"
    expect(insider.client.post("mfa/totp/", {"name": name}, token), 201)


@pytest.mark.parametrize(
    "address",
    [
        "victim@example.org\r\nBcc: thief@example.net",
        "victim@example.org\nBcc: thief@example.net",
        "victim@example.org%0aBcc:thief@example.net",
        "victim@example.org,thief@example.net",
        "Victim <victim@example.org>",
        '"a b"@example.org',
        "victim@[127.0.0.1]",
        "victim@example.org\u2028",
        "vic\u200btim@",
        "@example.org",
        "a@" + "b" * 250 + ".org",
        "victim@example..org",
    ],
)
def test_address_that_is_none_registers_nobody(client: Client, server: Server, address: str) -> None:
    before = snapshot(server)
    response = client.post("register/", {"email": address, "password": PASSWORD})
    assert set(problem(response, "validation_failed")["errors"]) == {"email"}
    assert snapshot(server) == before


@parsing
def test_no_header_is_made_of_input(client: Client) -> None:
    for value in ("x\tSet-Cookie: a=b", "a" * 129, "ä".encode("latin-1"), "a b", ""):
        response = client.get("me/", headers={"X-Request-ID": value, "User-Agent": b"\xff\x80" * 400})
        problem(response, "invalid_token")
        assert response.headers["X-Request-ID"].encode() != value
        assert "Set-Cookie" not in response.headers


@parsing
@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/api/v1/",
        "/api/v1/nowhere/",
        "/api/v1/login",
        "/api/v1//login/",
        "/api/v1/login/%00/",
        "/api/v1/sessions/%00/",
        "/api/v1/sessions/%ff/",
        "/api/v1/sessions/..%2f..%2fetc%2fpasswd/",
        "/api/v1/sessions/%E2%80%AE/",
        "/api/v2/login/",
        "/admin/",
        "/static/../secure_auth/settings.py",
        "/static/%2e%2e/settings.py",
        "/%25%32%65",
        "/" + "a" * 8000,
    ],
)
def test_unknown_path_is_not_found(client: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        problem(client.request(method, path), "not_found")


@parsing
@pytest.mark.parametrize(
    "path",
    [*ENDPOINTS, "me/", "mfa/", "sessions/", "audit/events/", "/", "/healthz", "/.well-known/jwks.json"],
)
def test_unknown_method_is_refused_with_allow(client: Client, path: str) -> None:
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "PROPFIND"):
        response = client.request(method, path)
        problem(response, "method_not_allowed")
        assert method not in response.headers["Allow"]


QUERIES = [
    "cursor=%00",
    "cursor=%ff",
    "cursor=AAAA",
    "cursor=" + "A" * 4000,
    "limit=0",
    "limit=-1",
    "limit=1e3",
    "limit=999999999999999999999",
    "limit=%D9%A3",
    "nothing=1",
    "%00=1",
    "type=%00",
    "type=login.password'--",
    "outcome=maybe",
    "user=%00",
    "user=" + "a" * 4000,
    "ip=999.1.1.1",
    "since=yesterday",
    "since=2026-13-45T00:00:00Z",
    "until=0001-01-01T00:00:00%2B23:59",
    "since=9999-12-31T23:59:59-23:59",
    "q=%00",
    "q=" + "a%20" * 40,
    "request_id=%0d%0aSet-Cookie:x",
]


@pytest.mark.parametrize("query", QUERIES)
def test_bad_query_is_refused(insider: Insider, query: str) -> None:
    token = insider.token("access")
    for path in ("audit/events/", "me/activity/"):
        if path == "me/activity/" and not query.startswith(("cursor", "limit", "nothing", "%00")):
            continue
        response = insider.client.get(f"{path}?{query}", token)
        if query in EDGE_OF_TIME:
            assert response.status_code in (200, 400)
        else:
            problem(response, "validation_failed")


EDGE_OF_TIME = ("until=0001-01-01T00:00:00%2B23:59", "since=9999-12-31T23:59:59-23:59")


@pytest.mark.parametrize("cursor", ["%00", "%ff", "nothing", "a" * 4000, "%E2%80%AE", "'--"])
def test_bad_cursor_of_accounts_is_refused(insider: Insider, cursor: str) -> None:
    response = insider.client.get(f"admin/users/?cursor={cursor}", insider.token("access"))
    problem(response, "validation_failed")


BEARERS = [
    "",
    "x",
    "a.b.c",
    "...",
    "eyJhbGciOiJub25lIn0.e30.",
    "e30.e30.e30",
    "\xff\xfe",
    "A" * 5000,
    "eyJhbGciOiJFUzI1NiIsImtpZCI6bnVsbCwidHlwIjoiYXQrand0In0.e30.AAAA",
    "eyJhbGciOltdLCJraWQiOltdLCJ0eXAiOltdfQ.e30.AAAA",
]


@parsing
@pytest.mark.parametrize("bearer", BEARERS, ids=range(len(BEARERS)))
def test_malformed_token_is_invalid_everywhere(client: Client, bearer: str) -> None:
    paths = ["me/", "sessions/", "mfa/", "devices/", "audit/events/", "admin/users/", "me/activity/"]
    for scheme in ("Bearer ", "bearer  ", "Basic ", ""):
        headers = {"Authorization": (scheme + bearer).strip().encode("latin-1")}
        for path in paths:
            problem(client.get(path, headers=headers), "invalid_token")
        for path, (token, body) in ENDPOINTS.items():
            if token:
                problem(client.post(path, body, headers=headers), "invalid_token")
    device = {"X-Device-Token": (bearer or "a" * 36 + ".x").encode("latin-1")}
    response = client.post("login/", {"email": new_email(), "password": SECRET}, headers=device)
    problem(response, "invalid_credentials")


def exchange(server: Server, request: bytes) -> bytes:
    """Send bytes as they are and read until the server closes or says no more."""
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            part = connection.recv(65536)
            if not part:
                break
            answer += part
        return answer


def head(server: Server, *lines: str, path: str = "/api/v1/login/") -> bytes:
    host = server.origin.partition("://")[2]
    fixed = (f"POST {path} HTTP/1.1", f"Host: {host}", f"X-Forwarded-For: {new_address()}")
    return "\r\n".join([*fixed, "Content-Type: application/json", *lines, "", ""]).encode("latin-1")


def chunked(content: bytes, size: int = 4096) -> bytes:
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def login_body(length: int = 0) -> bytes:
    body = json.dumps({"email": new_email(), "password": SECRET}).encode()
    return body + b" " * (length - len(body))


def test_chunked_body_is_read_like_any_other(server: Server) -> None:
    request = head(server, "Transfer-Encoding: chunked") + chunked(login_body(), 7)
    assert raw_problem(exchange(server, request))["code"] == "invalid_credentials"


@parsing
@pytest.mark.parametrize("length", [70_000, 1_000_000])
def test_chunked_body_is_held_to_the_limit(server: Server, length: int) -> None:
    before = snapshot(server)
    request = head(server, "Transfer-Encoding: chunked") + chunked(login_body(length), 16_384)
    assert raw_problem(exchange(server, request))["code"] == "payload_too_large"
    assert snapshot(server) == before


BROKEN_FRAMING: dict[str, tuple[tuple[str, ...], bytes]] = {
    "bad chunk size": (("Transfer-Encoding: chunked",), b"zz\r\n{}\r\n0\r\n\r\n"),
    "negative chunk": (("Transfer-Encoding: chunked",), b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk without end": (("Transfer-Encoding: chunked",), b"2\r\n{}xx0\r\n\r\n"),
    "unknown coding": (("Transfer-Encoding: gzip",), b"{}"),
    "negative length": (("Content-Length: -1",), b"{}"),
    "signed length": (("Content-Length: +2",), b"{}"),
    "no number": (("Content-Length: two",), b"{}"),
    "two lengths": (("Content-Length: 2", "Content-Length: 3"), b"{}x"),
    "folded header": (("X-A: b", " c: d", "Content-Length: 2"), b"{}"),
    "blank in name": (("X A: b", "Content-Length: 2"), b"{}"),
    "bare line feed": (("X-A: b\nX-B: c", "Content-Length: 2"), b"{}"),
    "NUL in header": (("X-Device-Token: " + "\x00" * 36 + ".x", "Content-Length: 2"), b"{}"),
    "foreign host": (("Host: evil.example", "Content-Length: 2"), b"{}"),
}


@parsing
@pytest.mark.parametrize("case", BROKEN_FRAMING)
def test_broken_framing_is_a_problem_document(server: Server, case: str) -> None:
    lines, body = BROKEN_FRAMING[case]
    document = raw_problem(exchange(server, head(server, *lines) + body))
    assert document["code"] == "validation_failed"


def test_length_and_chunks_together_smuggle_nothing(server: Server) -> None:
    smuggled = b"GET /api/v1/me/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = head(server, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n" + smuggled
    assert exchange(server, request).count(b"HTTP/1.1 ") == 1


def test_nul_in_a_header_reaches_no_store(server: Server) -> None:
    """A device token with NUL bytes at a body that is judged."""
    body = login_body()
    request = head(server, "X-Device-Token: " + "\x00" * 36 + ".x", f"Content-Length: {len(body)}") + body
    assert raw_problem(exchange(server, request))["code"] in ("validation_failed", "invalid_credentials")


TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint and a body of which some fields are right, wrong, missing or new."""
    path = draw(st.sampled_from(list(ENDPOINTS)))
    right = ENDPOINTS[path][1]
    body = {
        field: draw(st.just(value) | TEXT | VALUES)
        for field, value in right.items()
        if draw(st.integers(0, 4))
    }
    return path, body | draw(st.just({}) | st.dictionaries(TEXT, VALUES, max_size=1))


def test_no_body_makes_a_fault_of_ours(insider: Insider) -> None:
    refused: set[str] = set()

    @settings(
        max_examples=scaled(150, 3000),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(bodies())
    def check(case: tuple[str, dict[str, Any]]) -> None:
        path, body = case
        response = insider.send(path, json.dumps(body).encode())
        if response.status_code >= 400:
            refused.add(problem(response)["code"])
        else:
            assert response.status_code in (200, 201, 202, 204)

    check()
    assert "validation_failed" in refused


def test_insider_still_stands(insider: Insider, new_client: Callable[..., Client]) -> None:
    """After all of it the admin's account works as before."""
    assert expect(new_client().me(insider.token("access")), 200)["roles"] == ["admin", "auditor"]
