"""The accounts of a Django project, read from its own database: the table `auth_user`, and nothing is written there."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from secure_auth.acting import Refused
from secure_auth.transfer.rows import Row

COLUMNS = ("id", "username", "email", "password", "is_active", "date_joined")
FETCH_ROWS = 1000
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM auth_user ORDER BY id"  # noqa: S608 constants


def identify_database(url: str) -> str:
    """What a run over this database is found by again: a digest of where it is, without the password.

    Raises:
        Refused: it is no URL. What stands where a port should may be of a password, and is not repeated.
    """
    try:
        parts = urlsplit(url)
        where = f"{parts.scheme}://{parts.hostname}:{parts.port}{parts.path}"
    except ValueError:
        raise Refused(
            "--database is not a database URL; a password's signs such as [ and / go by percent"
        ) from None
    return hashlib.sha256(where.encode()).hexdigest()


def read_database(url: str) -> Iterator[Row]:
    """Each row of `auth_user` by ascending id, which is its number.

    Raises:
        Refused: the URL is neither sqlite:///PATH nor postgres://, no such table answers there, or its ids are no
            numbers above 0, by which a run goes on.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("sqlite", "postgres", "postgresql"):
        raise Refused("--database takes sqlite:///PATH or postgres://USER@HOST/NAME")
    try:
        for values in _sqlite(url) if scheme == "sqlite" else _postgres(url):
            if not isinstance(values[0], int) or values[0] < 1:
                raise Refused("an id of auth_user is no number above 0: import what dumpdata writes")
            yield Row(values[0], dict(zip(COLUMNS[1:], values[1:], strict=True)))
    except (sqlite3.Error, psycopg.Error) as error:
        raise Refused(f"the table auth_user cannot be read there ({type(error).__name__})") from error


def _sqlite(url: str) -> Iterator[tuple[Any, ...]]:
    path = Path(unquote(urlsplit(url).path).removeprefix("/"))
    if not path.is_file():
        raise Refused(f"{path}: no such file; an absolute path has four slashes: sqlite:////srv/db.sqlite3")
    address = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
        yield from database.execute(_SELECT)


def _postgres(url: str) -> Iterator[tuple[Any, ...]]:
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.read_only = True
        with connection.cursor("auth_user") as cursor:
            cursor.itersize = FETCH_ROWS
            yield from cursor.execute(_SELECT)
