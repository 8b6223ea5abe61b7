"""The loop of a worker: it is woken once for each request that came in one piece, and sees who takes too little."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from waitress.channel import ClientDisconnected

import tests.ready  # noqa: F401
from secure_auth.connections import OUTPUT_BYTES, SEND_SECONDS, Channel, adjustments

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


def test_who_reads_byte_by_byte_holds_no_thread_for_longer_than_who_reads_nothing() -> None:
    server: Any = SimpleNamespace(active_channels={}, pull_trigger=lambda: None, note_waiting=lambda: None)
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        channel = Channel(server, ours, ("127.0.0.1", 0), adjustments(), map={})
        channel.write_soon(b"x" * 4 * OUTPUT_BYTES)
        later = time.time() + SEND_SECONDS + 5
        channel.last_activity = later - 1
        assert not channel.is_stuck(later), "whole, and read slowly"
        thread = pool.submit(channel.write_soon, b"x")
        deadline = time.monotonic() + 10
        while not channel.writing_since and time.monotonic() < deadline:
            time.sleep(0.01)
        channel.last_activity = later - 1
        assert not channel.is_stuck(time.time() + 5)
        is_stuck = channel.is_stuck(later)
        channel.handle_close()
        with pytest.raises(ClientDisconnected):
            thread.result(timeout=10)
        assert is_stuck
        assert not channel.writing_since


@pytest.mark.parametrize(
    ("size", "waits_while_it_is_sent"), [(1000, False), (OUTPUT_BYTES, False), (OUTPUT_BYTES + 1, True)]
)
def test_loop_does_not_wait_for_what_a_thread_sends_and_hears_of_what_that_leaves(
    size: int, waits_while_it_is_sent: bool
) -> None:
    """To wait for a socket that takes more, while only another thread may give it more, is to spin."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as loop:

        def looked(*_: object) -> bool:
            return loop.submit(channel.writable).result(timeout=10)

        while_sent: list[bool] = []
        when_woken: list[bool] = []
        server: Any = SimpleNamespace(
            active_channels={},
            pull_trigger=lambda: when_woken.append(looked()),
            note_waiting=lambda: None,
        )
        channel = Channel(server, ours, ("127.0.0.1", 0), adjustments(), map={})

        def send_ten_bytes_once(data: bytes, do_close: bool = True) -> int:
            while_sent.append(looked())
            return 0 if len(while_sent) > 1 else 10

        channel.send = send_ten_bytes_once
        assert not looked()
        channel.write_soon(b"x" * size)
        assert while_sent == [waits_while_it_is_sent, False]
        assert when_woken[-1], "nothing else would look at it again for half a second"
        assert looked()


def test_who_was_cut_off_is_not_waited_for() -> None:
    server: Any = SimpleNamespace(active_channels={}, pull_trigger=lambda: None, note_waiting=lambda: None)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(server, ours, ("127.0.0.1", 0), adjustments(), map={})
        assert channel.readable()
        channel.will_close = True
        assert channel.writable()
        channel.handle_close()
        assert not channel.writable()
        channel.will_close = False
        assert not channel.readable(), "the number may be another's by now"
