"""Attack: a provider's API answers a mail with what fills memory, never ends or leads away.

Expected: the mail is put off in time, little memory is taken, and the provider's key goes nowhere else.
"""

import contextlib
import functools
import resource
import socket
import threading
import zlib
from collections.abc import Callable, Iterator

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import override_settings

import tests.ready  # noqa: F401
from secure_auth import outbox, providers

MOST_KIB = 64 * 1024
DEADLINE_SECONDS = 20
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TAKEN = b'{"ErrorCode": 0, "Message": "OK", "MessageID": "b7bc2f4a", "To": "ada@example.org"}'
Speak = Callable[[socket.socket, threading.Event, str], object]


@functools.cache
def bomb() -> bytes:
    """256 MiB of blanks, made where they are needed: each of the tests' processes reads this file."""
    packing = zlib.compressobj(wbits=31)
    return b"".join([*(packing.compress(b" " * 1024 * 1024) for _ in range(256)), packing.flush()])


def packed(wire: socket.socket, _stop: threading.Event, _here: str) -> None:
    wire.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb()) + bomb())


def endless(wire: socket.socket, stop: threading.Event, _here: str) -> None:
    wire.sendall(OK + b"\r\n")
    while not stop.is_set():
        wire.sendall(b" " * 65536)


def dripping(wire: socket.socket, stop: threading.Event, _here: str) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stop.wait(0.05):
        wire.sendall(b"x")


def interim(wire: socket.socket, stop: threading.Event, _here: str) -> None:
    while not stop.wait(0.05):
        wire.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def leading_away(wire: socket.socket, _stop: threading.Event, here: str) -> None:
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {here.replace('127.0.0.1', 'localhost')}\r\n"
    wire.sendall(f"{head}Set-Cookie: who=you\r\nContent-Length: 0\r\n\r\n".encode())


def taking(wire: socket.socket, _stop: threading.Event, _here: str) -> None:
    wire.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(TAKEN) + TAKEN)


@contextlib.contextmanager
def speaking(speak: Speak) -> Iterator[tuple[str, list[bytes]]]:
    """A provider, and the requests that came."""
    stop, came = threading.Event(), list[bytes]()

    def answer(wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            came.append(wire.recv(65536))
            speak(wire, stop, here)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        threading.Thread(target=serve, daemon=True).start()
        yield here, came
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)


def send_to(url: str) -> list[Exception | None]:
    """How sending a mail went; empty where it still goes on after DEADLINE_SECONDS."""
    found = list[Exception | None]()
    given = {"POSTMARK_SERVER_TOKEN": "a-server-token", "POSTMARK_API_URL": url, "REQUESTS_TIMEOUT": 10}

    def send() -> None:
        mail = EmailMultiAlternatives("Subject", "Text", "us@example.org", ["ada@example.org"])
        try:
            mail.connection = get_connection("secure_auth.providers.Postmark")
            outbox._hand_over(mail)
        except Exception as error:
            found.append(error)
        else:
            found.append(None)

    with override_settings(ANYMAIL=given):
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        thread.join(DEADLINE_SECONDS)
    return found


@pytest.mark.parametrize("speak", [packed, endless, dripping, interim, leading_away])
def test_an_answer_has_an_end(monkeypatch: pytest.MonkeyPatch, speak: Speak) -> None:
    monkeypatch.setattr(providers, "ANSWER_SECONDS", 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with speaking(speak) as (url, came):
        found = send_to(url)
    assert [type(error).__name__ for error in found] == ["AnymailRequestsAPIError"]
    assert found[0] is not None
    assert not outbox.is_final(found[0])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KIB
    assert len(came) == 1, "a redirect carries the key elsewhere"


def test_a_plain_answer_is_taken() -> None:
    with speaking(taking) as (url, came):
        assert send_to(url) == [None]
    head = came[0].lower()
    assert b"x-postmark-server-token: a-server-token" in head
    assert b"accept-encoding: identity" in head
