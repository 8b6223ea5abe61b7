"""The PostgreSQL and Redis servers that tests borrow, private databases in them, and programs that tests run.

TEST_DATABASE_URL and TEST_REDIS_URL name them; unset, the usual loopback ports are tried. A test that needs
one that does not answer, or a program that is not installed, is skipped by name, and fails with CI=true.
"""

import contextlib
import fcntl
import functools
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis

SLOTS = 64  # of throttling.stores.redis, which cannot be imported before Django is set up
POSTGRES_URLS = (
    "postgres://postgres@127.0.0.1:5432/postgres",
    "postgres://postgres:postgres@127.0.0.1:5432/postgres",
)
REDIS_URLS = ("redis://127.0.0.1:6379",)
CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
# The first is the second's engine without a desktop's window and profiles around it: a third of the CPU for a page.
BROWSERS = ("chromium-headless-shell", "chromium")


@functools.cache
def postgres_url() -> str:
    """A URL with the right to create databases; empty when none answers."""
    given = os.environ.get("TEST_DATABASE_URL")
    for url in [given] if given else POSTGRES_URLS:
        with contextlib.suppress(psycopg.Error), psycopg.connect(url, connect_timeout=3):
            return url
    return ""


@functools.cache
def redis_url() -> str:
    """A URL without a database number; empty when none answers."""
    given = os.environ.get("TEST_REDIS_URL")
    for url in [given] if given else REDIS_URLS:
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=3) as connection:
            connection.ping()
            return urlunsplit(urlsplit(url)._replace(path=""))
    return ""


def require(*services: str) -> None:
    """Skip the running test when one of "postgres" and "redis" is missing; fail it in CI."""
    urls = {"postgres": postgres_url, "redis": redis_url}
    for service in services:
        if urls[service]():
            continue
        if CI:
            pytest.fail(f"no {service} server answers, and CI=true", pytrace=False)
        pytest.skip(f"no {service} server answers")


def require_programs(*names: str) -> None:
    """Skip the running test when a program is missing; fail it in CI."""
    for name in names:
        if shutil.which(name):
            continue
        if CI:
            pytest.fail(f"{name} is not installed, and CI=true", pytrace=False)
        pytest.skip(f"{name} is not installed")


def browser_program() -> str:
    """The path of a Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        require_programs(BROWSERS[-1])
    return str(found)


def execute(statement: str) -> None:
    """A statement about databases."""
    with psycopg.connect(postgres_url(), autocommit=True) as connection:
        connection.execute(statement.encode())


@contextlib.contextmanager
def private_database(template: str = "template1") -> Iterator[str]:
    """The URL of a PostgreSQL database, empty or a copy of another, dropped afterwards."""
    name = f"sa_test_{secrets.token_hex(6)}"
    execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlunsplit(urlsplit(postgres_url())._replace(path=f"/{name}"))
    finally:
        execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def believe(connection: redis.Redis) -> None:
    """Make a fresh Redis one that has been counting for longer than any window; else a service waits one first."""
    run_id = connection.info("server")["run_id"]
    connection.mset({f"limit:{{{slot:x}}}:since": f"{run_id} 0" for slot in range(SLOTS)})


@contextlib.contextmanager
def private_redis() -> Iterator[str]:
    """The URL of an empty Redis database that no other test process uses, emptied afterwards.

    Only databases that were empty before are taken, so nobody's data is lost.
    """
    for number in [*range(15, 0, -1), 0]:
        lock = Path(tempfile.gettempdir()) / f"secure-auth-test-redis-{number}.lock"
        with lock.open("w") as file, contextlib.suppress(BlockingIOError, redis.RedisError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            url = f"{redis_url()}/{number}"
            with redis.Redis.from_url(url) as connection:
                if connection.dbsize():
                    continue
                believe(connection)
                try:
                    yield url
                finally:
                    connection.flushdb()
                return
    pytest.fail("every database of the Redis server is in use or holds data", pytrace=False)
