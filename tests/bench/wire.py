"""A relay in front of PostgreSQL that notes every statement as it passes on the wire (frontend protocol 3.0).

Nothing that a program sends to its database escapes it: ORM, raw cursors, prepared statements, other processes.
"""

import contextlib
import select
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

TRANSACTION_WORDS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET TRANSACTION")


class Frontend:
    """One connection's half of the protocol that carries statements: Query, Parse, Bind and Execute."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self.buffer = b""
        self.is_started = False
        self.prepared: dict[bytes, str] = {}
        self.portals: dict[bytes, str] = {}

    def feed(self, data: bytes) -> None:
        """Take bytes as they come; a message is read when it is whole."""
        self.buffer += data
        while True:
            head = 1 if self.is_started else 0  # the startup packet has no type byte
            if len(self.buffer) < head + 4:
                return
            size = head + struct.unpack_from("!I", self.buffer, head)[0]
            if len(self.buffer) < size:
                return
            message, self.buffer = self.buffer[:size], self.buffer[size:]
            if self.is_started:
                self._read(message[:1], message[5:])
            self.is_started = True

    def _read(self, kind: bytes, body: bytes) -> None:
        fields = body.split(b"\0", 2)
        match kind:
            case b"Q":
                self.note(fields[0].decode())
            case b"P":
                self.prepared[fields[0]] = fields[1].decode()
            case b"B":
                self.portals[fields[0]] = self.prepared[fields[1]]
            case b"E":
                self.note(self.portals[fields[0]])


class Passage(socketserver.BaseRequestHandler):
    """One connection, both ways, until one end closes it."""

    server: "Relay"
    request: socket.socket

    def handle(self) -> None:
        frontend = Frontend(self.server.statements.append)
        with socket.create_connection(self.server.upstream) as database, contextlib.suppress(OSError):
            ends = {self.request: database, database: self.request}
            for end in ends:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is self.request:
                        frontend.feed(data)
                    ends[end].sendall(data)


class Relay(socketserver.ThreadingTCPServer):
    """Listens at `url` and notes in `statements` what passes, in order."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self.statements: list[str] = []
        parts = urlsplit(url)
        self.upstream = (parts.hostname or "127.0.0.1", parts.port or 5432)
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}{'@' if login else ''}127.0.0.1:{self.server_address[1]}"
        self.url = urlunsplit(parts._replace(netloc=netloc, query="sslmode=disable&gssencmode=disable"))


@contextlib.contextmanager
def relay(url: str) -> Iterator[Relay]:
    """A relay in front of a database URL."""
    with Relay(url) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield running
        finally:
            running.shutdown()


def is_transaction_control(statement: str) -> bool:
    """BEGIN, COMMIT and their like, which are no statement of ours."""
    return statement.lstrip().upper().startswith(TRANSACTION_WORDS)
