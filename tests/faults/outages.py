"""A database that is away for a while."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.server import Server
from tests.services import postgres_url


@contextmanager
def database_away(server: Server) -> Iterator[None]:
    """No connection to the service's database, old or new."""
    name = server.environment["DATABASE_URL"].rsplit("/", 1)[1]
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


class Relay:
    """A way to the test's PostgreSQL that can fall silent: connections are taken, and nothing is ever said on them.

    It may be a long one: what the database says takes `delay_seconds`.
    """

    def __init__(self, delay_seconds: float = 0) -> None:
        self._delay_seconds = delay_seconds
        found = urlsplit(postgres_url())
        self._beyond = (found.hostname or "127.0.0.1", found.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self._is_silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, of: str) -> str:
        """That of the database, by this way."""
        parts = urlsplit(of)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self._listener.getsockname()[1]}"))

    @contextmanager
    def silence(self) -> Iterator[None]:
        """All connections end, and none is answered until it is over; those that wait then are closed."""
        self._is_silent = True
        self._end_all()
        try:
            yield
        finally:
            self._is_silent = False
            self._end_all()

    def close(self) -> None:
        self._listener.close()
        self._end_all()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                if not self._is_silent:
                    far = socket.create_connection(self._beyond)
                    self._open.append(far)
                    for source, sink in ((near, far), (far, near)):
                        threading.Thread(
                            target=self._carry, args=(source, sink, source is far), daemon=True
                        ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self._delay_seconds:
                    time.sleep(self._delay_seconds)
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _end_all(self) -> None:
        while self._open:
            one = self._open.pop()
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
