"""A process knows the Redis that it greeted at its start: another one behind the same name is not believed."""

import socket
from types import SimpleNamespace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

import tests.ready  # noqa: F401
from throttling.stores.servers import Server


class Connection:
    """Speaks to whichever server stands behind the name now, which grants one thing."""

    behind = "first"

    def __init__(self) -> None:
        self.server_identity = self.behind
        self._sock, self.server = socket.socketpair()
        self.server.sendall(b"$7\r\ngranted\r\n")

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
    assert server.call([("EVALSHA",)]) == ["granted"]
    server.close()
