"""The log on each database: a private migrated one, SQLite or PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dj_database_url
import pytest

import tests.ready  # noqa: F401

# isort: split
from django.core.management import call_command
from django.db import connection, connections

from audit.triggers import GUARDED, install, trigger_names
from tests import services

DERIVED = ("audit_detectioncursor", "audit_detectionslot", "audit_detection", "audit_detectionnote")


@dataclass(frozen=True)
class Log:
    """The log under test; `environment` lets another process use it."""

    vendor: str
    environment: dict[str, str]
    settings: dict[str, Any]


def only(name: str) -> pytest.MarkDecorator:
    """Run a test on this database only."""
    return pytest.mark.parametrize("migrated", [name], indirect=True)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """A private database that holds the log's tables, and Django's default connection on it."""
    directory = tmp_path_factory.mktemp("audit")
    base = connections.settings["default"]
    if request.param == "sqlite":
        settings = {**base, "NAME": directory / "secure_auth.sqlite3"}
        yield from on(Log("sqlite", {"DATA_DIR": str(directory)}, settings))
        return
    services.require("postgres")
    with services.private_database() as url:
        settings = {**base, **dj_database_url.parse(url), "OPTIONS": {}, "CONN_MAX_AGE": None}
        yield from on(Log("postgresql", {"DATA_DIR": str(directory), "DATABASE_URL": url}, settings))


def on(log: Log) -> Iterator[Log]:
    before = connections.settings["default"]
    point_at(log.settings)
    try:
        call_command("migrate", "audit", verbosity=0)
        yield log
    finally:
        point_at(before)


def point_at(settings: dict[str, Any]) -> None:
    connection.close()
    connections.settings["default"] = settings
    del connections["default"]


@pytest.fixture
def log(migrated: Log) -> Iterator[Log]:
    """An empty log."""
    yield migrated
    empty()


def empty() -> None:
    """Empty the log as only its owner can: by taking the guards away for a moment."""
    with connection.cursor() as cursor:
        for name, table in trigger_names(connection.vendor).items():
            where = "" if connection.vendor == "sqlite" else f" ON {table}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{where}")
        for table in (*GUARDED, "audit_tally", "audit_pending", "audit_rollup", "audit_rollupmark", *DERIVED):
            cursor.execute(f"DELETE FROM {table}")
        if connection.vendor == "postgresql":
            cursor.execute("DELETE FROM audit_textblock")
    install(connection)
