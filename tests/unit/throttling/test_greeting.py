"""A process knows the Redis that it greeted at its start: another one behind the same name is not believed."""

import socket
import time
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

import tests.ready  # noqa: F401
from throttling.stores.servers import Server


class Connection:
    """Speaks to whichever server stands behind the name now, which grants one thing."""

    behind = "first"
    says = b"$7\r\ngranted\r\n"

    def __init__(self) -> None:
        self.server_identity = self.behind
        self._sock, self.server = socket.socketpair()
        self.server.sendall(self.says)

    def connect(self) -> None: ...

    def disconnect(self) -> None:
        self._sock.close()
        self.server.close()


def test_another_server_than_the_one_greeted_grants_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(SimpleNamespace(connection_class=Connection, connection_kwargs={}), 60)
    server.greet()
    server.close()
    monkeypatch.setattr(Connection, "behind", "second")
    with pytest.raises(RedisConnectionError):
        server.call([("EVALSHA",)])


def test_the_one_greeted_is_asked() -> None:
    server = Server(SimpleNamespace(connection_class=Connection, connection_kwargs={}), 60)
    server.greet()
    assert server.call([("EVALSHA",)]) == [b"granted"]
    server.close()


@pytest.mark.parametrize("refusal", [b"READONLY demoted", b"LOADING its data", b"MASTERDOWN", b"NOAUTH"])
def test_server_that_cannot_serve_now_is_left_for_the_one_that_has_its_place(
    monkeypatch: pytest.MonkeyPatch, refusal: bytes
) -> None:
    """After a fail-over that closes no connection."""
    server = Server(SimpleNamespace(connection_class=Connection, connection_kwargs={}), 0)
    monkeypatch.setattr(Connection, "says", b"-" + refusal + b"\r\n")
    server.greet()
    monkeypatch.undo()
    monkeypatch.setattr(Connection, "behind", "second")
    assert server.call([("EVALSHA",)]) == [b"granted"]
    server.close()


def test_connection_that_refused_is_used_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(SimpleNamespace(connection_class=Connection, connection_kwargs={}), 60)
    monkeypatch.setattr(Connection, "says", b"-OOM command not allowed\r\n")
    server.greet()
    (refusal,) = server.call([("EVALSHA",)])
    assert isinstance(refusal, ResponseError)
    monkeypatch.undo()
    assert server.call([("EVALSHA",)]) == [b"granted"]
    server.close()


def test_server_that_is_refused_by_now_is_asked_for_ten_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was told to evict keys keeps the connections that it has."""
    server = Server(SimpleNamespace(connection_class=Connection, connection_kwargs={}), 60)
    server.greet()

    def refuse(connection: Connection) -> None:
        connection.disconnect()
        raise RedisConnectionError("this Redis evicts keys")

    monkeypatch.setattr(Connection, "connect", refuse)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 11)
    with pytest.raises(RedisConnectionError, match="evicts"):
        server.call([("EVALSHA",)])
