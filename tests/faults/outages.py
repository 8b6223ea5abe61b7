"""A database that is away for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

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
