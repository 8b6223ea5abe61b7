"""A process knows the Redis that it greeted at its start: another one behind the same name is not believed."""

from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

import tests.ready  # noqa: F401
from throttling.stores.servers import Server


class Connection:
    """Speaks to whichever server stands behind the name now."""

    behind = "first"

    def __init__(self) -> None:
        self.server_identity = self.behind

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def send_packed_command(self, command: Any) -> None: ...

    def read_response(self) -> str:
        return "granted"


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
