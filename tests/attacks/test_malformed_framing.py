"""Attacker: anyone who can open a connection. Move: requests whose end or form is in doubt (RFC 9112 sections 6 and 7).

Expected: a problem document (RFC 9457) with the right status; nothing changed, nothing leaked, no traceback.
"""

import json
import socket

import pytest

from tests.attacks.insider import SECRET, parsing, snapshot
from tests.client import new_email
from tests.conftest import new_address
from tests.problems import raw_problem
from tests.server import Server

pytestmark = pytest.mark.usefixtures("no_traceback")


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


def head(server: Server, *lines: str, path: str = "/api/v1/login/", version: str = "1.1") -> bytes:
    host = server.origin.partition("://")[2]
    fixed = (f"POST {path} HTTP/{version}", f"Host: {host}", f"X-Forwarded-For: {new_address()}")
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


def test_body_beyond_reading_is_answered_under_the_id_of_its_request(server: Server) -> None:
    content = b" " * 1_200_000
    request = head(server, "X-Request-ID: kept-1", f"Content-Length: {len(content)}") + content
    assert raw_problem(exchange(server, request))["request_id"] == "kept-1"


BROKEN_FRAMING: dict[str, tuple[tuple[str, ...], bytes]] = {
    "bad chunk size": (("Transfer-Encoding: chunked",), b"zz\r\n{}\r\n0\r\n\r\n"),
    "negative chunk": (("Transfer-Encoding: chunked",), b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunk without end": (("Transfer-Encoding: chunked",), b"2\r\n{}xx0\r\n\r\n"),
    "unknown coding": (("Transfer-Encoding: gzip",), b"{}"),
    "chunked twice": (("Transfer-Encoding: chunked, chunked",), chunked(b"{}")),
    "chunked in two fields": (("Transfer-Encoding: chunked",) * 2, chunked(b"{}")),
    "chunked twice by a fold": (("Transfer-Encoding: chunked", " , chunked"), chunked(b"{}")),
    "chunked and nothing": (("Transfer-Encoding: chunked,",), chunked(b"{}")),
    "empty coding and length": (("Transfer-Encoding:", "Content-Length: 2"), b"{}"),
    "negative length": (("Content-Length: -1",), b"{}"),
    "signed length": (("Content-Length: +2",), b"{}"),
    "no number": (("Content-Length: two",), b"{}"),
    "two lengths": (("Content-Length: 2", "Content-Length: 3"), b"{}x"),
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
    assert not document["errors"], "the body was read"


@parsing
def test_length_of_thousands_of_digits_is_too_large(server: Server) -> None:
    document = raw_problem(exchange(server, head(server, f"Content-Length: {'9' * 5000}")))
    assert document["code"] == "payload_too_large"


@parsing
@pytest.mark.parametrize(
    ("length", "code"),
    [("2000000", "payload_too_large"), ("9" * 5000, "payload_too_large"), ("two", "validation_failed")],
)
def test_body_that_will_be_refused_is_not_asked_for(server: Server, length: str, code: str) -> None:
    """RFC 9110 section 10.1.1: the refusal in place of 100 Continue, or both would wait for each other."""
    request = head(server, "Expect: 100-continue", f"Content-Length: {length}")
    assert raw_problem(exchange(server, request))["code"] == code


@parsing
@pytest.mark.parametrize("address", ["http://[", "http://[::1/api/v1/login/"])
def test_address_of_no_form_is_a_problem_document(server: Server, address: str) -> None:
    document = raw_problem(exchange(server, head(server, "Content-Length: 2", path=address) + b"{}"))
    assert document["code"] == "validation_failed"


@parsing
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_length_and_chunks_together_smuggle_nothing(server: Server, version: str) -> None:
    lines = ("Connection: keep-alive", "Content-Length: 5", "Transfer-Encoding: chunked")
    assert_ends(server, head(server, *lines, version=version) + b"0\r\n\r\n")


@parsing
def test_chunks_before_http_1_1_smuggle_nothing(server: Server) -> None:
    """Who stands in front may take what follows for chunks; by its version it is the next request (RFC 9112 6.1)."""
    assert_ends(server, head(server, "Connection: keep-alive", "Transfer-Encoding: chunked", version="1.0"))


def assert_ends(server: Server, request: bytes) -> None:
    """The request is refused, and no other is read behind it."""
    smuggled = b"GET /api/v1/me/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10) as connection:
        connection.sendall(request + smuggled)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.") == 1
    assert raw_problem(answer)["code"] == "validation_failed"


def test_nul_in_a_header_reaches_no_store(server: Server) -> None:
    """A device token with NUL bytes at a body that is judged."""
    body = login_body()
    request = head(server, "X-Device-Token: " + "\x00" * 36 + ".x", f"Content-Length: {len(body)}") + body
    assert raw_problem(exchange(server, request))["code"] in ("validation_failed", "invalid_credentials")


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"], ids=["none", "zero"])
def test_expectation_without_a_body_is_answered_at_once(server: Server, length: bytes) -> None:
    head = b"POST /api/v1/logout/ HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10) as connection:
        connection.sendall(head + length + b"Connection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_refused_head_is_answered_without_a_body(server: Server) -> None:
    """What follows would be the beginning of the next answer to who stands in front (RFC 9112 section 6.3)."""
    for line in (b"X A: b", b"Content-Length: 2000000", b"Transfer-Encoding: gzip"):
        answer = exchange_head(server, line)
        assert answer.startswith(b"HTTP/1."), line
        assert b"application/problem+json" in answer, line
        assert answer.endswith(b"\r\n\r\n"), line


def exchange_head(server: Server, line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10) as connection:
        connection.sendall(b"HEAD /api/v1/me/ HTTP/1.1\r\nHost: localhost\r\n" + line + b"\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


@parsing
@pytest.mark.parametrize("hosts", [(), ("own", "own"), ("own", "evil.example")], ids=["none", "twice", "two"])
def test_request_names_one_host(server: Server, hosts: tuple[str, ...]) -> None:
    """RFC 9112 section 3.2: who stands in front may sort by another than this service judges."""
    own = server.origin.partition("://")[2]
    fields = "".join(f"Host: {own if host == 'own' else host}\r\n" for host in hosts)
    answer = exchange(server, f"GET /healthz HTTP/1.1\r\n{fields}\r\n".encode())
    assert raw_problem(answer)["code"] == "validation_failed"


def test_host_of_a_whole_address_is_the_one_that_is_judged(server: Server) -> None:
    """RFC 9112 section 3.2.2: it replaces whatever the field says."""
    own = server.origin.partition("://")[2]
    for address, host, status in (
        (own, own, b"401"),
        (own, "evil.example", b"401"),
        ("evil.example", own, b"400"),
        (f"evil@{own}", own, b"400"),
        ("", own, b"400"),
    ):
        request = f"GET http://{address}/api/v1/me/ HTTP/1.1\r\nHost: {host}\r\n\r\n"
        answer = exchange(server, request.encode())
        assert answer.startswith(b"HTTP/1.1 " + status), (address, host)


@pytest.mark.parametrize(
    "options", ["close", "keep-alive, close", "Close , TE", "TE,\tCLOSE", "TE\r\nConnection: close"]
)
def test_connection_ends_where_close_is_among_its_options(server: Server, options: str) -> None:
    """RFC 9112 section 9.6: or who waits for the end waits until the connection is idle too long."""
    request = f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: {options}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10) as connection:
        connection.sendall(request + request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
