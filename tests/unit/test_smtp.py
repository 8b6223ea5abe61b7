"""A mail server whose reply never ends, or comes byte by byte, fills no memory and holds no mail up for good."""

import contextlib
import resource
import smtplib
import socket
import threading
import time

import pytest

import tests.ready  # noqa: F401
from secure_auth import smtp
from secure_auth.settings import EMAIL_TIMEOUT

MOST_KIB = 64 * 1024
DEADLINE_SECONDS = 20


@pytest.mark.parametrize(
    ("begins", "part", "pause"),
    [
        (b"220-", b"x" * 4000 + b"\r\n220-", 0.0),
        (b"220 ready\r\n250-", b"x" * 4000 + b"\r\n250-", 0.0),
        (b"220 ", b"x", 0.05),
    ],
)
def test_a_reply_has_an_end(
    monkeypatch: pytest.MonkeyPatch, begins: bytes, part: bytes, pause: float
) -> None:
    monkeypatch.setattr(smtp, "REPLY_SECONDS", 1)
    stop, raised = threading.Event(), list[BaseException]()

    def serve() -> None:
        wire = listener.accept()[0]
        with wire, contextlib.suppress(OSError):
            wire.sendall(begins)
            while not stop.wait(pause):
                wire.sendall(part)

    def connect() -> None:
        backend = smtp.EmailBackend(host="127.0.0.1", port=port, timeout=EMAIL_TIMEOUT, use_tls=True)
        try:
            backend.open()
        except (smtplib.SMTPException, OSError) as error:
            raised.append(error)

    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        threads = [threading.Thread(target=each, daemon=True) for each in (serve, connect)]
        for thread in threads:
            thread.start()
        threads[1].join(DEADLINE_SECONDS)
        stop.set()
    assert len(raised) == 1
    assert isinstance(raised[0], smtplib.SMTPServerDisconnected)
    assert time.monotonic() - began < DEADLINE_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KIB
