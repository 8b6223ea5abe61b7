"""Attacker: anyone who can send bytes. Move: paths, methods, queries, header fields and tokens of no honest client.

Expected: a problem document (RFC 9457) with the right status; nothing changed, nothing leaked, no traceback.
"""

import pytest

from tests.attacks.insider import ENDPOINTS, SECRET, Insider, parsing
from tests.client import Client, new_email
from tests.problems import problem
from tests.server import Server

pytestmark = pytest.mark.usefixtures("no_traceback")


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
    [*ENDPOINTS, "me/", "mfa/", "sessions/", "audit/events/", "/healthz", "/.well-known/jwks.json"],
)
def test_unknown_method_is_refused_with_allow(client: Client, path: str) -> None:
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "PROPFIND"):
        response = client.request(method, path)
        problem(response, "method_not_allowed")
        assert method not in response.headers["Allow"]


@parsing
def test_unknown_method_is_refused_with_allow_by_a_page_too(client: Client) -> None:
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "PROPFIND"):
        response = client.request(method, "/")
        assert (response.status_code, response.headers["Allow"]) == (405, "HEAD, GET")
        assert response.headers["Content-Type"].startswith("text/html")


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


@parsing
@pytest.mark.parametrize("path", ["/sign-in/", "/language/", "/api/schema/"])
def test_too_many_fields_are_refused_without_a_word_in_the_log(
    client: Client, server: Server, path: str
) -> None:
    """A hundred bytes wrote three thousand, of level error, as often as the limit of requests lets anybody in."""
    before = len(server.written())
    fields = "&".join(["a="] * 51)
    for answer in (
        client.request("GET", f"{path}?{fields}"),
        client.request(
            "POST", path, content=fields, headers={"Content-Type": "application/x-www-form-urlencoded"}
        ),
    ):
        assert answer.status_code in (400, 405)
    assert "TooManyFields" not in server.logs()[before:]


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


@parsing
@pytest.mark.parametrize("accepted", ["text/html; q*=nothing''%41", "application/json; x*=nothing''%41, */*"])
def test_unreadable_accept_of_the_schema_is_none(client: Client, accepted: str) -> None:
    answer = client.get("/api/schema/", headers={"Accept": accepted})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/vnd.oai.openapi")


@parsing
def test_too_many_fields_are_refused_without_a_line(client: Client) -> None:
    fields = "&".join(f"a{number}=1" for number in range(60))
    problem(client.get(f"/sign-in/?{fields}"), "validation_failed")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    problem(client.post("/sign-in/", content=fields.encode(), headers=headers), "validation_failed")
