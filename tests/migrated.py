"""Databases with all migrations, made once a test process: a service that starts on a copy need not run them.

What a first start does to an empty database is tested by `tests/flows/test_starting.py` and `test_running.py`.
"""

import contextlib
import functools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests import services

ROOT = Path(__file__).resolve().parent.parent
SQLITE_FILE = "secure_auth.sqlite3"
_undo = contextlib.ExitStack()


def drop() -> None:
    """Leave nothing behind, at the end of the test process."""
    _undo.close()


@functools.cache
def sqlite_file() -> Path:
    """A SQLite database for copying."""
    directory = Path(_undo.enter_context(tempfile.TemporaryDirectory()))
    _migrate(DATA_DIR=str(directory))
    return directory / SQLITE_FILE


@functools.cache
def postgres_name() -> str:
    """The name of a PostgreSQL database that serves as a template."""
    name = f"sa_test_{secrets.token_hex(6)}"
    services.execute(f"CREATE DATABASE {name}")
    _undo.callback(services.execute, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    with tempfile.TemporaryDirectory() as directory:
        url = urlunsplit(urlsplit(services.postgres_url())._replace(path=f"/{name}"))
        _migrate(DATA_DIR=directory, DATABASE_URL=url)
    return name


def copy_sqlite(data_dir: Path) -> None:
    """Give a data directory that does not exist yet its database."""
    data_dir.mkdir(mode=0o700, parents=True)
    shutil.copy(sqlite_file(), data_dir / SQLITE_FILE)
    (data_dir / SQLITE_FILE).chmod(0o600)


def _migrate(**environment: str) -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONWARNINGS") if name in os.environ}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env={**inherited, **environment}, check=True, capture_output=True)
