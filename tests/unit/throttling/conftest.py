"""Each store of the limiter, on a private database, and a clock that a test can move."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dj_database_url
import pytest

import tests.ready  # noqa: F401

# isort: split
from axes.utils import reset
from django.core.management import call_command
from django.db import connection, connections
from django.test import override_settings

from tests import services
from tests.unit.throttling.guesses import ELSEWHERE, HERE, IPV6
from throttling.stores import database, redis, refusal_memory, routing, servers

STORES = ("sqlite", "postgres", "redis")
CLOCK = "CREATE OR REPLACE FUNCTION throttling_now() RETURNS bigint LANGUAGE sql AS $$ SELECT {} $$"


def only(*names: str) -> pytest.MarkDecorator:
    """Run a test on these stores only."""
    return pytest.mark.parametrize("store", names, indirect=True)


@dataclass
class Store:
    """A store: ``owner()`` names owners that it holds; ``environment`` lets another process use it."""

    name: str
    environment: dict[str, str]
    used: int = 0
    now_ms: int = 0

    def owner(self) -> str:
        self.used += 1
        return f"{'source' if self.name == 'redis' else 'account'}:{self.used}"

    def set_clock(self, now_ms: int) -> None:
        self.now_ms = now_ms
        if self.name == "postgres":
            with connection.cursor() as cursor:
                cursor.execute("UPDATE test_clock SET now_ms = %s", [now_ms])
        elif self.name == "redis":
            servers.topology(self.environment["REDIS_URL"], 60).server_of("").ask("SET", "test:clock", now_ms)

    def advance(self, milliseconds: int) -> None:
        self.set_clock(self.now_ms + milliseconds)


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store with its own database, on the store's real clock."""
    directory = tmp_path_factory.mktemp(request.param)
    if request.param == "postgres":
        services.require("postgres")
        with services.private_database() as url, prepared({"DATABASE_URL": url}, directory) as environment:
            yield Store("postgres", environment)
    elif request.param == "redis":
        services.require("redis")
        with services.private_redis() as url, prepared({"REDIS_URL": url}, directory) as environment:
            yield Store("redis", environment)
    else:
        with prepared({}, directory) as environment:
            yield Store("sqlite", environment)


class prepared:  # noqa: N801
    """Points Django's default connection, in all threads, at a private migrated database."""

    def __init__(self, urls: dict[str, str], directory: Path):
        self.environment = {**urls, "DATA_DIR": str(directory)}
        self.overridden = override_settings(REDIS_URL=urls.get("REDIS_URL", ""), SERVER_THREADS=64)
        self.previous = connections.settings["default"]

    def __enter__(self) -> dict[str, str]:
        url = self.environment.get("DATABASE_URL")
        values = {
            **self.previous,
            "NAME": Path(self.environment["DATA_DIR"]) / "secure_auth.sqlite3",
            "CONN_MAX_AGE": None,
        }
        if url:
            pool = {"min_size": 1, "max_size": 10, "timeout": 5}
            values = {
                **self.previous,
                **dj_database_url.parse(url),
                "OPTIONS": {"pool": pool},
                "CONN_MAX_AGE": 0,
            }
        point_at(values)
        self.overridden.enable()
        call_command("migrate", "throttling", verbosity=0)
        return self.environment

    def __exit__(self, *error: object) -> None:
        connection.close()
        self.overridden.disable()
        point_at(self.previous)


def point_at(values: dict[str, object]) -> None:
    connection.close()
    close_pool = getattr(connection, "close_pool", None)
    if close_pool:
        close_pool()
    connections.settings["default"] = values
    del connections["default"]


@pytest.fixture(autouse=True)
def unbroken_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever listens because another test imported it has no tables here.
    monkeypatch.setattr(routing.store_changed, "receivers", [])
    monkeypatch.setattr(routing, "_unsaid", False)
    monkeypatch.setattr(routing, "_tripped", False)
    monkeypatch.setattr(routing, "_slow", 0)
    monkeypatch.setattr(routing, "_retry_at", 0.0)
    monkeypatch.setattr(refusal_memory, "MEMORY_SECONDS", 0.0)  # the clock of a test runs faster
    refusal_memory.forget()


@pytest.fixture(autouse=True, scope="session")
def patient_redis() -> None:
    """A busy test machine is no outage."""
    servers.TIMEOUT_SECONDS = 10.0


@pytest.fixture
def account(store: Store) -> str:
    """The opaque id of an account that no other test has."""
    return f"account-{store.owner()}"


@pytest.fixture
def fresh_sources(store: Store) -> None:
    """No limit of a source, and no lock of an account, counts what another test did."""
    for ip in (HERE, ELSEWHERE, IPV6):
        reset(ip=ip)
    reset()


@pytest.fixture
def clocked(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store, on a clock that only the test moves."""
    if store.name == "postgres":
        define_clock("CREATE TABLE IF NOT EXISTS test_clock AS SELECT 0::bigint AS now_ms")
        define_clock(CLOCK.format("now_ms FROM test_clock"))
    elif store.name == "redis":
        text = redis.SCRIPT.replace("redis.call('TIME')", "{0, redis.call('GET', 'test:clock') * 1000}")
        monkeypatch.setattr(redis, "SCRIPT", text)
    store.set_clock(max(store.now_ms, database.now_ms()))
    monkeypatch.setattr(database, "now_ms", lambda: store.now_ms)
    yield store
    if store.name == "postgres":
        define_clock(CLOCK.format("floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"))


def define_clock(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
