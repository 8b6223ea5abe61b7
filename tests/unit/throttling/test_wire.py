"""The conversation with Redis: whatever the server says, or does not, is an answer or one of two errors, and soon."""

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

import tests.ready  # noqa: F401
from throttling.stores.wire import Wire

TIMEOUT_SECONDS = 0.2
Ends = tuple[Wire, socket.socket]


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Ours, and the server's; the time-out may be the parameter."""
    seconds = getattr(request, "param", TIMEOUT_SECONDS)
    ours, server = socket.socketpair()
    with ours, server:
        server.settimeout(5)
        yield (
            Wire(SimpleNamespace(server_identity="run", _sock=ours, disconnect=ours.close), seconds),
            server,
        )


def test_commands_leave_in_one_piece_and_lengths_are_in_bytes(ends: Ends) -> None:
    wire, server = ends
    server.sendall(b"$1\r\na\r\n$0\r\n\r\n")
    assert wire.exchange([("EVALSHA", 7, "\u00e9", b"\xff\r\n"), ("PING",)]) == [b"a", b""]
    assert (
        server.recv(4096)
        == b"*4\r\n$7\r\nEVALSHA\r\n$1\r\n7\r\n$2\r\n\xc3\xa9\r\n$3\r\n\xff\r\n\r\n*1\r\n$4\r\nPING\r\n"
    )


@pytest.mark.parametrize("ends", [10.0], indirect=True, ids=["patiently"])
def test_answer_may_arrive_byte_by_byte(ends: Ends) -> None:
    wire, server = ends

    def drip() -> None:
        for byte in b"$4\r\na\r\nb\r\n-NOSCRIPT none\r\n$2\r\n\xffk\r\n":
            server.sendall(bytes([byte]))
            time.sleep(0.002)

    dripping = threading.Thread(target=drip)
    dripping.start()
    first, second, third = wire.exchange([("A",), ("B",), ("C",)])
    dripping.join()
    assert (first, third) == (b"a\r\nb", b"\xffk")
    assert isinstance(second, NoScriptError)


def test_refusals_stand_in_their_place(ends: Ends) -> None:
    wire, server = ends
    server.sendall(b"-MOVED 3999 127.0.0.1:6381\r\n-OOM command not allowed\r\n-\r\n")
    moved, full, empty = wire.exchange([("A",), ("B",), ("C",)])
    assert isinstance(moved, MovedError)
    assert (moved.host, moved.port, moved.slot_id) == ("127.0.0.1", 6381, 3999)
    assert type(full) is ResponseError
    assert "OOM" in str(full)
    assert type(empty) is ResponseError


@pytest.mark.parametrize(
    "said",
    [
        b"+OK\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*1\r\n$1\r\na\r\n",
        b"$many\r\n",
        b"$ 1\r\na\r\n",
        b"$1\r\nabc",
        b"$1\r\na\r\n$1\r\nb\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"HTTP/1.1 400\r\n",
        b"\r\n",
    ],
)
def test_what_the_script_does_not_say_ends_the_conversation(ends: Ends, said: bytes) -> None:
    wire, server = ends
    server.sendall(said)
    with pytest.raises(RedisConnectionError):
        wire.exchange([("A",)])


@pytest.mark.parametrize("said", [b"", b"$", b"$5\r\nab", b"$1\r\na\r\n"])
def test_server_that_hangs_up_is_a_broken_connection(ends: Ends, said: bytes) -> None:
    wire, server = ends
    server.sendall(said)
    server.close()
    with pytest.raises(RedisConnectionError):
        wire.exchange([("A",), ("B",)])


@pytest.mark.parametrize("said", [b"", b"$5\r\nab", b"$1\r\na\r\n"])
def test_silence_is_a_timeout_and_keeps_nobody_long(ends: Ends, said: bytes) -> None:
    wire, server = ends
    server.sendall(said)
    began = time.monotonic()
    with pytest.raises(RedisTimeoutError):
        wire.exchange([("A",), ("B",)])
    assert TIMEOUT_SECONDS / 2 < time.monotonic() - began < 20 * TIMEOUT_SECONDS


def test_server_that_takes_nothing_is_a_timeout(ends: Ends) -> None:
    wire, _ = ends
    with pytest.raises(RedisTimeoutError):
        wire.exchange([("A", "x" * 4_000_000)])


def test_server_that_drips_keeps_nobody_long(ends: Ends) -> None:
    wire, server = ends
    is_over = threading.Event()

    def drip() -> None:
        server.sendall(b"$1000\r\n")
        while not is_over.wait(TIMEOUT_SECONDS / 4):
            server.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    with pytest.raises(RedisTimeoutError):
        wire.exchange([("A",)])
    is_over.set()
    dripping.join()
    assert time.monotonic() - began < 20 * TIMEOUT_SECONDS
