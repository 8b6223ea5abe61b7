"""Databases with all migrations, made once a test run: a service that starts on a copy need not run them.

What a first start does to an empty database is tested by `tests/flows/test_starting.py` and `test_running.py`.
"""

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests import scratch, services

ROOT = Path(__file__).resolve().parent.parent
SQLITE_FILE = "secure_auth.sqlite3"
DATABASE = f"sa_test_{scratch.RUN}"


@contextlib.contextmanager
def _one_at_a_time(name: str) -> Iterator[Path]:
    """A file that stands once what it is named after is there. Whoever comes meanwhile waits."""
    made = scratch.directory() / name
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield made


@functools.cache
def sqlite_file() -> Path:
    """A SQLite database for copying."""
    with _one_at_a_time("sqlite") as made:
        if not made.exists():
            _migrate(DATA_DIR=str(scratch.directory()))
            made.touch()
    return scratch.directory() / SQLITE_FILE


@functools.cache
def postgres_name() -> str:
    """The name of a PostgreSQL database that serves as a template."""
    with _one_at_a_time("postgres") as made, tempfile.TemporaryDirectory() as data_dir:
        if not made.exists():
            services.execute(f"CREATE DATABASE {DATABASE}")
            url = urlunsplit(urlsplit(services.postgres_url())._replace(path=f"/{DATABASE}"))
            _migrate(DATA_DIR=data_dir, DATABASE_URL=url)
            made.touch()
    return DATABASE


def _drop() -> None:
    if (scratch.DIRECTORY / "postgres.lock").exists():
        services.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


scratch.at_the_end(_drop)


def copy_sqlite(data_dir: Path) -> None:
    """Give a data directory that does not exist yet its database."""
    data_dir.mkdir(mode=0o700, parents=True)
    shutil.copy(sqlite_file(), data_dir / SQLITE_FILE)
    (data_dir / SQLITE_FILE).chmod(0o600)


def _migrate(**environment: str) -> None:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONWARNINGS") if name in os.environ}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env={**inherited, **environment}, check=True, capture_output=True)
