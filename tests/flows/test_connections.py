"""One connection, many requests: the next is read while one is answered, in one piece with it, or long after."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.client import PASSWORD, Client, new_email
from tests.conftest import new_address
from tests.server import Server

ROUNDS = 20
KEYS = "/.well-known/jwks.json"


@pytest.fixture
def wire(server: Server) -> Iterator[socket.socket]:
    """A connection to the first node."""
    with closing(socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=20)) as found:
        yield found


def head(server: Server, line: str, *fields: str) -> bytes:
    host = server.origin.partition("://")[2]
    lines = [f"{line} HTTP/1.1", f"Host: {host}", f"X-Forwarded-For: {new_address()}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def quick(server: Server) -> bytes:
    return head(server, "GET /healthz")


def slow(server: Server) -> bytes:
    """A request that computes a hash."""
    body = json.dumps({"email": new_email(), "password": PASSWORD}).encode()
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return head(server, "POST /api/v1/login/", *fields) + body


def statuses(wire: socket.socket, count: int) -> list[int]:
    """The statuses of the next `count` answers; the bodies have lengths."""
    reader, found = wire.makefile("rb"), []
    for _ in range(count):
        found.append(int(reader.readline().split()[1]))
        length = 0
        while (line := reader.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        reader.read(length)
    return found


def test_requests_in_one_piece_are_answered_in_order(server: Server, wire: socket.socket) -> None:
    for _ in range(ROUNDS):
        wire.sendall(quick(server) + slow(server) + quick(server) + quick(server))
        assert statuses(wire, 4) == [200, 401, 200, 200]


@pytest.mark.parametrize("pause", [0, 0.001, 0.01, 0.1])
def test_a_request_sent_while_another_is_answered_waits_for_it_only(
    server: Server, wire: socket.socket, pause: float
) -> None:
    for _ in range(ROUNDS):
        for request in (slow, quick, quick):
            wire.sendall(request(server))
            time.sleep(pause)
        assert statuses(wire, 3) == [401, 200, 200]
        wire.sendall(quick(server))
        assert statuses(wire, 1) == [200]


def test_half_a_request_behind_an_answer_is_waited_for(server: Server, wire: socket.socket) -> None:
    for cut in (1, 10, 40):
        first, second = slow(server), quick(server)
        wire.sendall(first + second[:cut])
        assert statuses(wire, 1) == [401]
        wire.sendall(second[cut:])
        assert statuses(wire, 1) == [200]


def test_a_connection_that_shall_close_closes(server: Server, wire: socket.socket) -> None:
    wire.sendall(head(server, "GET /healthz", "Connection: close"))
    assert statuses(wire, 1) == [200]
    assert wire.recv(1) == b""


def test_an_answer_without_a_body_keeps_the_connection(
    server: Server, client: Client, wire: socket.socket
) -> None:
    person = client.create_person()
    known = client.get(KEYS).headers["etag"]
    wire.sendall(
        head(server, f"GET {KEYS}", f"If-None-Match: {known}")
        + head(server, "POST /api/v1/logout/", f"Authorization: Bearer {person.access}", "Content-Length: 0")
        + quick(server)
    )
    assert statuses(wire, 3) == [304, 204, 200]


def test_an_answer_without_a_body_closes_where_that_was_asked(
    server: Server, wire: socket.socket, client: Client
) -> None:
    known = client.get(KEYS).headers["etag"]
    wire.sendall(head(server, f"GET {KEYS}", f"If-None-Match: {known}", "Connection: close"))
    with wire.makefile("rb") as reader:
        text = reader.read()
    assert text.startswith(b"HTTP/1.1 304 ")
    assert b"\r\nConnection: close\r\n" in text
