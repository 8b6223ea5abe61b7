"""Somebody fills the memory of the service with answers that are read byte by byte, or that were read long ago.

Attacker: no account, some hundred connections. Move: the largest answer that is no file, of which each connection reads
a little now and then, so that it is never cut off for taking nothing; or all of it, and then stays. Refusal: answers
that wait have a bound in each worker, beyond which those that were asked for first are cut off; of what has left
nothing is kept. Everybody else is served, and whole.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.attacks.test_bodies_never_taken import memory_bytes
from tests.conftest import new_address, scaled
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("slow_readers")
WAITING_BYTES = 64 * 1024 * 1024  # `secure_auth/connections.py`
PATH = "/api/schema/?format=json"
READERS = scaled(100, 900)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Whose memory nobody else uses."""
    directory = tmp_path_factory.mktemp("slow")
    with running_server("sqlite", directory, worker=False, environment={"SERVER_WORKERS": "1"}) as server:
        yield server


@pytest.fixture
def size(own: Server) -> int:
    """Of the largest answer; one that was made already."""
    headers = {"Host": own.origin.partition("://")[2], "X-Forwarded-For": new_address()}
    found = httpx.get(own.url + PATH, headers=headers, timeout=30, trust_env=False)
    assert found.status_code == 200
    return len(found.content)


def ask(server: Server, stack: ExitStack) -> socket.socket:
    """A connection that asked, and takes little at once."""
    found = stack.enter_context(socket.socket())
    found.settimeout(20)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    # as beyond this machine: of a segment of its own interface the kernel takes megabytes by itself
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    found.connect(("127.0.0.1", server.nodes[0].port))
    host = server.origin.partition("://")[2]
    found.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {new_address()}\r\n\r\n".encode())
    assert found.recv(8).startswith(b"HTTP/1.1")
    return found


def read(connection: socket.socket, size: int) -> int:
    """How many bytes come, up to a size."""
    taken = 0
    while taken < size:
        try:
            chunk = connection.recv(1 << 16)
        except ConnectionResetError:
            return taken
        if not chunk:
            return taken
        taken += len(chunk)
    return taken


def test_answers_that_are_read_slowly_have_a_bound(own: Server, size: int) -> None:
    count = scaled(5, 7) * WAITING_BYTES // 2 // size
    before = memory_bytes(own)
    with ExitStack() as stack:
        hogs = []
        for _ in range(count):
            hogs.append(ask(own, stack))
            for hog in hogs[:3]:
                hog.recv(16)
        assert memory_bytes(own) - before < WAITING_BYTES * 2  # with what is in the making
        assert httpx.get(own.url + "/healthz", timeout=20, trust_env=False).status_code == 200
        assert read(hogs[-1], size) >= size
        assert read(hogs[3], size) < size


def test_of_an_answer_that_has_left_nothing_is_kept(own: Server, size: int) -> None:
    before = memory_bytes(own)
    with ExitStack() as stack:
        for _ in range(READERS):
            assert read(ask(own, stack), size) >= size
        assert memory_bytes(own) - before < READERS * size / 4
