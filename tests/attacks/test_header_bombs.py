"""Headers and chunk heads that grow without end cost nothing, before any limit has seen who sends them.

Attacker: one program behind a trusted proxy, or none at all, that sends quotes which never close, blanks without end
before a value, in one line or folded, and a chunk's head byte by byte. Expected: what is not whole
is believed by nobody, and what is too long is refused where it is read.
"""

import socket
import time
from contextlib import closing
from ipaddress import ip_network

import pytest

from tests.client import Client
from tests.conftest import new_address
from tests.server import Server
from throttling.address import client_address

PROXY = "10.0.0.1"
TRUSTED = [ip_network("10.0.0.0/8")]
BOMBS = (
    '"' + '\\"' * 7700,
    '"' * 15_401,
    "for=" + '"a' * 7700,
    'for="' + "\\" * 15_400,
    ",".join(['for="'] * 2500),
    "=;" * 7700 + '"',
)


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
@pytest.mark.parametrize("size", [100, 4096, 15_401])
def test_quotes_that_never_close_are_read_once(bomb: str, size: int) -> None:
    """A hundred of each: where the work grew with the square of the length, this took minutes."""
    for number in range(100):
        header = f"{bomb[:size]}{number}"
        assert client_address({"REMOTE_ADDR": PROXY, "HTTP_FORWARDED": header}, TRUSTED) == PROXY


def test_a_long_header_of_whole_elements_is_believed_by_nobody() -> None:
    header = ", ".join(["for=192.0.2.7"] * 400)
    assert client_address({"REMOTE_ADDR": PROXY, "HTTP_FORWARDED": header}, TRUSTED) == PROXY
    header = ", ".join(["for=192.0.2.7"] * 40)
    assert client_address({"REMOTE_ADDR": PROXY, "HTTP_FORWARDED": header}, TRUSTED) == "192.0.2.7"


def test_bombs_in_requests_are_answered(client: Client) -> None:
    for bomb in BOMBS:
        assert client.get("me/", headers={"Forwarded": bomb}).status_code == 401


@pytest.mark.parametrize(
    "growing",
    [b"1;" + b"a" * 300, b"1;a=" + b"b" * 300, b"0" * 300, b"0\r\nx: " + b"y" * 5000],
    ids=["extension", "value", "zeros", "trailer"],
)
def test_a_chunk_head_that_never_ends_is_refused_early(server: Server, growing: bytes) -> None:
    host = server.origin.partition("://")[2]
    head = (
        f"POST /api/v1/login/ HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {new_address()}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with closing(socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10)) as wire:
        wire.sendall(head.encode() + growing)
        answer = wire.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("blanks", [b" \t" * 7700, b"\r\n " * 5000], ids=["one line", "folded"])
def test_blanks_before_a_value_are_not_read_again_and_again(server: Server, blanks: bytes) -> None:
    """In the loop that reads for all connections of a process, where each took a second, or a tenth if folded."""
    head = f"GET /healthz HTTP/1.1\r\nHost: {server.origin.partition('://')[2]}\r\n".encode()
    begun = time.monotonic()
    for _ in range(30):
        with closing(socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=20)) as wire:
            wire.sendall(head + b"X:" + blanks + b"x\r\n\r\n")
            answer = wire.recv(65536)
        assert answer.partition(b" ")[2].startswith(b"400 ")
    assert time.monotonic() - begun < 2
    with closing(socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=20)) as wire:
        wire.sendall(head + b"X:" + b" \t" * 20 + b"x\r\n y\r\n\r\n")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
