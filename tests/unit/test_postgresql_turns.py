"""A thread that waits for a PostgreSQL that is far away gives its turn away; near it keeps it."""

from collections.abc import Iterator

import psycopg
import pytest

import tests.ready  # noqa: F401
from secure_auth.postgresql import base
from tests.services import private_database, require
from throttling import turns
from throttling.turns import Store, Turn

pytestmark = pytest.mark.postgres


@pytest.fixture
def connection() -> Iterator[psycopg.Connection]:
    require("postgres")
    with private_database() as url, base.Connection.connect(url, autocommit=True) as connected:
        yield connected


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Gets longer with each turn that this thread gives away."""
    monkeypatch.setattr(base, "_server", Store())
    found: list[bool] = []
    own = turns._own
    turns.take(Turn(lambda: found.append(True)))
    yield found
    own.turn = None


def test_how_far_it_is_tell_its_answers(connection: psycopg.Connection, given: list[bool]) -> None:
    for _ in range(20):
        connection.execute("SELECT 1")
    given.clear()
    connection.execute("SELECT pg_sleep(0.02)")  # one slow answer is no distance
    connection.execute("SELECT 1")
    assert not given
    for _ in range(300):
        connection.execute("SELECT pg_sleep(0.004)")
    given.clear()
    connection.execute("SELECT pg_sleep(0.004)")
    assert given == [True]


def test_what_asks_the_server_nothing_tells_nothing(
    connection: psycopg.Connection, given: list[bool]
) -> None:
    for _ in range(5):
        connection.execute("SELECT pg_sleep(0.01)")
    given.clear()
    for setting in (False, True):
        connection.autocommit = setting
    assert not given
    connection.execute("SELECT pg_sleep(0.01)")
    assert given
