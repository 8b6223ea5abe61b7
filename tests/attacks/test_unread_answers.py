"""Somebody keeps the threads of the service busy with answers that are never read.

Attacker: no account, some hundred connections. Move: several requests in one piece for the largest file there is, whole
or by its range, and nothing is read. Refusal: a connection has one request at a time, the next is taken up when the
answer before it has left; an answer that waits to be read holds no thread, and everybody else is served. Who reads at
last gets all of them.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.conftest import scaled
from tests.server import Server, running_server

IN_ONE_PIECE = 5
LARGEST = re.compile(r'src="(/static/[^"]*swagger-ui-bundle[^"]*)"')


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two threads in all."""
    environment = {"SERVER_WORKERS": "1", "SERVER_THREADS": "2"}
    directory = tmp_path_factory.mktemp("unread")
    with running_server("sqlite", directory, worker=False, environment=environment) as server:
        yield server


@pytest.mark.parametrize("asked", ["", "Range: bytes=0-\r\n", "Range: bytes=1-1500000\r\n"])
def test_answers_that_nobody_reads_hold_no_thread(narrow: Server, asked: str) -> None:
    def get(path: str) -> httpx.Response:
        host = {"Host": narrow.origin.partition("://")[2]}
        return httpx.get(narrow.url + path, headers=host, timeout=15, trust_env=False)

    found = LARGEST.search(get("/api/docs/").text)
    assert found
    size = len(get(found[1]).content)
    assert size > 1024 * 1024
    host = narrow.origin.partition("://")[2]
    request = f"GET {found[1]} HTTP/1.1\r\nHost: {host}\r\n{asked}\r\n".encode()
    last = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(scaled(20, 200)):
            hog = stack.enter_context(socket.socket())
            hog.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            # as beyond this machine: of a segment of its own interface the kernel takes megabytes by itself
            hog.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
            hog.connect(("127.0.0.1", narrow.nodes[0].port))
            hog.sendall(IN_ONE_PIECE * request + last)
        for _ in range(5):
            assert get("/healthz").status_code == 200
        hog.settimeout(30)
        taken = b"".join(iter(lambda: hog.recv(1 << 20), b""))
    assert taken.count(b"HTTP/1.1 200 OK\r\n") == IN_ONE_PIECE + 1
    assert len(taken) > IN_ONE_PIECE * size
