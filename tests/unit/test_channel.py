"""The loop of a worker and a request that came in one piece with another: it is woken for it, and once."""

import socket
from types import SimpleNamespace
from typing import Any

import tests.ready  # noqa: F401
from secure_auth.connections import Channel, adjustments

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_loop_is_woken_when_the_next_request_takes_its_place_in_line_and_never_while_it_waits() -> None:
    tasks: list[Channel] = []
    pulled: list[bool] = []
    server: Any = SimpleNamespace(
        active_channels={}, add_task=tasks.append, pull_trigger=lambda: pulled.append(True)
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(server, ours, ("127.0.0.1", 0), adjustments(), map={})
        channel.received(3 * REQUEST)
        for _ in range(3):
            assert not channel.readable()
        assert (len(tasks), len(pulled)) == (1, 0)
        for served in (1, 2):
            channel.requests.clear()
            for _ in range(3):
                channel.readable()
            assert (len(tasks), len(pulled)) == (1 + served, served)
