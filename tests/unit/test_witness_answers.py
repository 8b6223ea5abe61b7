"""What a witness answers is bounded before it is believed: sizes to what an event can hold, bodies as they travel."""

import contextlib
import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest

import tests.ready  # noqa: F401
from audit import cosignatures, tree
from audit.cosignatures import Signed
from audit.tree import Head
from audit.verify.notes import COSIGNATURE, VerifierKey
from secure_auth import witnesses
from secure_auth.witness_settings import Witness
from secure_auth.witnesses import Answer, Peer, Publisher, ask, make_caller, size_told


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ("12\n", 12),
        ("999999999999999\n", 10**15 - 1),
        ("999999999999999", 10**15 - 1),
        ("9999999999999999", None),  # beyond 2**53, with no line end that would make it too long
        ("9999999999999999\n", None),
        ("-1\n", None),
        ("", None),
    ],
)
def test_size_is_one_that_an_event_can_hold(body: str, size: int | None) -> None:
    assert size_told(body) == size


@contextlib.contextmanager
def compressing(body: bytes) -> Iterator[tuple[str, list[str | None]]]:
    """The URL of something that compresses whatever it is asked, and what it was asked for."""
    wanted: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted.append(self.headers["Accept-Encoding"])
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip, gzip")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", wanted
        finally:
            server.shutdown()


def test_compressed_answer_is_not_unfolded() -> None:
    with (
        compressing(gzip.compress(gzip.compress(b"12\n"))) as (url, wanted),
        contextlib.closing(make_caller()) as caller,
    ):
        answer = ask(caller, url)
    assert wanted == ["identity"]
    assert answer.status == 0
    assert answer.body == "the answer is compressed"


@pytest.mark.parametrize("part", [b"x", b": y\r\n\r\nHTTP/1.1 103 Early Hints\r\nx"])
def test_an_answer_that_only_begins_is_over_in_time(monkeypatch: pytest.MonkeyPatch, part: bytes) -> None:
    """A head that drips, and interim answers without end: no time-out of a read ever passes."""
    monkeypatch.setattr(witnesses, "ANSWER_SECONDS", 0.5)

    def begin() -> None:
        wire = listener.accept()[0]
        with wire, contextlib.suppress(OSError):
            wire.sendall(b"HTTP/1.1 103 Early Hints\r\nx")
            while not stop.wait(0.05):
                wire.sendall(part)

    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.closing(make_caller()) as caller:
        Thread(target=begin, daemon=True).start()
        asked = Thread(
            target=lambda: answers.append(ask(caller, f"http://127.0.0.1:{listener.getsockname()[1]}", b"")),
            daemon=True,
        )
        answers: list[Answer] = []
        asked.start()
        asked.join(10)
        stop.set()
    assert answers == [Answer(0, "ReadTimeout")]


def test_a_redirect_to_what_is_no_host_is_no_answer() -> None:
    """httpx reads where it leads, though nobody goes there."""

    def answer() -> None:
        wire = listener.accept()[0]
        with wire:
            wire.recv(65536)
            wire.sendall(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://xn--a/\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.closing(make_caller()) as caller:
        Thread(target=answer, daemon=True).start()
        answered = ask(caller, f"http://127.0.0.1:{listener.getsockname()[1]}", b"")
    assert answered == Answer(0, "RemoteProtocolError")


def test_a_mistake_with_one_witness_is_over_with_its_try() -> None:
    key = VerifierKey("example.org/witness", COSIGNATURE, bytes(32))
    peer, posted = Peer(Witness(key, "http://127.0.0.1:9"), log=1), Signed(1, 9, "")
    failed = Future[Answer]()
    failed.set_exception(KeyError("ours"))
    peer.posted, peer.running = posted, failed
    with pytest.raises(KeyError):
        Publisher()._judge(peer)
    assert not peer.is_due(posted)
    peer.retry_at = 0.0
    assert peer.is_due(posted)


def test_sizes_in_turn_are_followed_once_and_then_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "head_of", lambda _: Head(1, "example.org/log", 9, bytes(32)))
    key = VerifierKey("example.org/witness", COSIGNATURE, bytes(32))
    peer, posted, pauses = Peer(Witness(key, "http://127.0.0.1:9"), log=1), Signed(1, 9, ""), []
    for _ in range(6):
        peer.old = peer.known
        witnesses._settle(peer, posted, "2\n" if peer.old == 1 else "1\n")
        pauses.append(peer.pause_seconds)
        assert peer.is_due(posted) is (peer.retry_at == 0)
        peer.retry_at = 0.0
    assert pauses == [0, 0.5, 0.5, 1, 1, 2]


def test_witness_that_knows_another_root_of_the_size_it_was_asked_from_contradicts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a database that was restored and has grown again just as far: no size tells it."""
    told = list[object]()
    monkeypatch.setattr(tree, "head_of", lambda _: Head(1, "example.org/log", 9, bytes(32)))
    monkeypatch.setattr(witnesses, "_contradict", lambda *found: told.append(found[2:]))
    key = VerifierKey("example.org/witness", COSIGNATURE, bytes(32))
    for old, size in ((9, 9), (8, 9), (9, 8)):
        peer = Peer(Witness(key, "http://127.0.0.1:9"), log=1, old=old)
        witnesses._settle(peer, Signed(1, size, ""), "9\n")
    assert told == [(9, witnesses.OTHER)]


def test_answer_about_a_log_that_ended_meanwhile_holds_up_no_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The witness is as far as the old log was; the new one has a few entries."""
    monkeypatch.setattr(tree, "head_of", lambda _: Head(1, "example.org/log", 900, bytes(32)))
    monkeypatch.setattr(cosignatures, "cosigned_size", lambda *_: 0)
    key = VerifierKey("example.org/witness", COSIGNATURE, bytes(32))
    old, new = Signed(1, 900, ""), Signed(2, 3, "")
    peer = Peer(Witness(key, "http://127.0.0.1:9"), log=1, running=Future())
    assert not peer.is_due(new)
    peer.running = None
    witnesses._settle(peer, old, "500\n")
    assert peer.is_due(new)
    assert peer.known == 0


def test_successor_waits_for_no_pause_of_the_log_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosignatures, "cosigned_size", lambda *_: 0)
    key = VerifierKey("example.org/witness", COSIGNATURE, bytes(32))
    peer = Peer(Witness(key, "http://127.0.0.1:9"), log=1)
    peer.put_off(witnesses.LONGEST_PAUSE_SECONDS)
    assert not peer.is_due(Signed(1, 9, ""))
    assert peer.is_due(Signed(2, 1, ""))


def test_log_that_was_restored_asks_from_what_it_still_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosignatures, "cosigned_size", lambda *_: 2)
    key = VerifierKey("example.org/witness", COSIGNATURE, bytes(32))
    peer = Peer(Witness(key, "http://127.0.0.1:9"), log=1, cosigned=900, known=900)
    assert peer.is_due(Signed(1, 3, ""))
    assert peer.known == 2
