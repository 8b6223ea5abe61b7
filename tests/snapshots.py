"""Backups of a stopped service, and their restoring: the database, and the data directory with it or not."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests import services
from tests.server import Server


class Snapshot:
    """A service as it was."""

    def __init__(self, server: Server, directory: Path) -> None:
        self._server, self._directory = server, directory
        self._name = urlsplit(server.environment.get("DATABASE_URL", "")).path.lstrip("/")
        shutil.copytree(server.data_dir, directory)
        if self._name:
            self._execute(f"CREATE DATABASE {self._name}_old TEMPLATE {self._name}")

    def restore(self, *, with_data_dir: bool = True) -> None:
        """Bring the service back to what it was; it must be stopped."""
        if self._name:
            self._execute(f"DROP DATABASE {self._name} WITH (FORCE)")
            self._execute(f"CREATE DATABASE {self._name} TEMPLATE {self._name}_old")
        elif not with_data_dir:
            for path in self._server.data_dir.glob("secure_auth.sqlite3*"):
                path.unlink()
            for path in self._directory.glob("secure_auth.sqlite3*"):
                shutil.copy2(path, self._server.data_dir)
        if with_data_dir:
            shutil.rmtree(self._server.data_dir)
            shutil.copytree(self._directory, self._server.data_dir)

    def drop(self) -> None:
        if self._name:
            self._execute(f"DROP DATABASE IF EXISTS {self._name}_old WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(services.postgres_url(), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextlib.contextmanager
def snapshot(server: Server, directory: Path) -> Iterator[Snapshot]:
    taken = Snapshot(server, directory)
    try:
        yield taken
    finally:
        taken.drop()
