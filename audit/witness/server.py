"""The witness over HTTP: waitress and a few addresses.

POST /add-checkpoint is C2SP's. GET / tells monitors as JSON who the witness is and what it saw; GET /checkpoint/ORIGIN
gives the newest cosigned checkpoint. A request has READ_SECONDS to arrive, and HEAD_BYTES and MAX_BODY_BYTES at most.
Who sends another before the answer, or takes nothing of it for SEND_SECONDS, is cut off.
"""

import json
import socket
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from audit.witness.judge import Witness
from audit.witness.submission import MAX_BODY_BYTES, TEXT_TYPE, Answer

READ_SECONDS: Final = 15
SEND_SECONDS: Final = 15
IDLE_SECONDS: Final = 60  # the posting log keeps its connection
CONNECTIONS: Final = 200
THREADS: Final = 8
HEAD_BYTES: Final = 2048  # a log sends some hundred; waitress reads blanks in the square of their number
ADD, CHECKPOINT = "/add-checkpoint", "/checkpoint/"


class Application:
    """The WSGI application of a witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """PEP 3333."""
        answer = self._answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ)
        body = answer.body.encode()
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "POST" if environ["PATH_INFO"] == ADD else "GET"))
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [body]

    def _answer(self, method: str, path: str, environ: dict[str, Any]) -> Answer:
        if path != ADD and path != "/" and not path.startswith(CHECKPOINT):
            return Answer(404, "nothing is here\n")
        if method != ("POST" if path == ADD else "GET"):
            return Answer(405, "not this method\n")
        if path == ADD:
            return self._witness.add_checkpoint(environ["wsgi.input"].read())
        if path == "/":
            return Answer(200, json.dumps(self._witness.status(), indent=2) + "\n", "application/json")
        found = self._witness.cosigned(
            path.removeprefix(CHECKPOINT).encode("latin-1").decode(errors="replace")
        )
        return Answer(200, found, TEXT_TYPE) if found else Answer(404, "no checkpoint was cosigned\n")


class _Channel(HTTPChannel):
    """A connection that knows since when a request has been arriving on it.

    Thousands of requests in one piece would keep all threads from everybody else; no log sends two at once.
    """

    arriving_since = 0.0
    will_close: bool

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.arriving_since = time.time()
        taken = bool(super().received(data))
        with self.requests_lock:
            if len(self.requests) > 1:
                # Behind what is refused unread comes its own body: the refusal is sent, and ends the connection.
                self.will_close = self.will_close or self.requests[0].error is None
                del self.requests[1:]
        return taken


class _Server(TcpWSGIServer):
    """Closes connections whose request does not arrive, or whose answer is not taken, in time; waitress idle ones."""

    channel_class = _Channel

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            if channel.request is not None and channel.arriving_since < now - READ_SECONDS:
                channel.will_close = True
            if channel.total_outbufs_len and channel.last_activity < now - SEND_SECONDS:
                channel.handle_close()  # its socket is not writable: nothing else would ever look at it again


def listen(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        OSError: the address is in use, or not one of this machine.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(128)
    return listener


def serve(witness: Witness, listener: socket.socket) -> None:
    """Serve until SystemExit or KeyboardInterrupt."""
    adjustments = Adjustments(
        ident=None,
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_header_size=HEAD_BYTES,
        max_request_body_size=MAX_BODY_BYTES,
        clear_untrusted_proxy_headers=True,
        log_socket_errors=False,
        server_name="localhost",
    )
    _Server(
        Application(witness),
        _sock=listener,
        adj=adjustments,
        sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
        bind_socket=False,
    ).run()
