"""Somebody fills the memory of the service with bodies that it would refuse.

Attacker: no account, some hundred connections. Move: bodies of just under what is still read, all but the last byte.
Refusal: of a body that is longer than what is taken, nothing is kept. Who sends a whole one gets 413, and goes on.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from secure_auth.framing import BODY_BYTES
from tests.conftest import new_address, scaled
from tests.processes import descendants
from tests.server import Server, running_server

SIZE = BODY_BYTES - 1024
PART = b"x" * 2048


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Whose memory nobody else uses."""
    directory = tmp_path_factory.mktemp("bodies")
    with running_server("sqlite", directory, worker=False, environment={"SERVER_WORKERS": "1"}) as server:
        yield server


def memory_bytes(server: Server) -> int:
    """What the processes of a node hold beyond what they share with files."""
    told = [Path(f"/proc/{pid}/status").read_text() for pid in descendants(server.nodes[0].process.pid)]
    return sum(1024 * int(one.partition("RssAnon:")[2].split()[0]) for one in told)


def head(server: Server, *fields: str) -> bytes:
    lines = ["POST /api/v1/login/ HTTP/1.1", f"Host: {server.origin.partition('://')[2]}"]
    lines += [f"X-Forwarded-For: {new_address()}", "Content-Type: application/json", *fields, "\r\n"]
    return "\r\n".join(lines).encode()


WAYS = {
    "length": (f"Content-Length: {SIZE}", b"x" * (SIZE - 1)),
    "chunks": ("Transfer-Encoding: chunked", (b"800\r\n" + PART + b"\r\n") * (SIZE // 2048 - 4)),
}


@pytest.mark.parametrize("way", WAYS)
def test_of_a_body_that_is_too_long_nothing_is_kept(own: Server, way: str) -> None:
    field, body = WAYS[way]
    before = memory_bytes(own)
    with ExitStack() as stack:
        for _ in range(scaled(100, 900)):
            hog = stack.enter_context(socket.create_connection(("127.0.0.1", own.nodes[0].port), timeout=20))
            hog.sendall(head(own, field) + body)
        assert httpx.get(own.url + "/healthz", timeout=20, trust_env=False).status_code == 200
        assert memory_bytes(own) - before < scaled(100, 900) * SIZE / 10
        hog.sendall(b"x" if way == "length" else b"0\r\n\r\n")
        assert hog.recv(65536).startswith(b"HTTP/1.1 413")
        hog.sendall(head(own, "Content-Length: 2") + b"{}")
        assert hog.recv(65536).startswith(b"HTTP/1.1 400")
