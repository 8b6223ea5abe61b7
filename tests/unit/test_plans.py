"""What a scrape, an action of an admin and the worker ask for again and again is found by an index."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.ready  # noqa: F401

# isort: split
from django.core.management import call_command
from django.db import connection

from secure_auth import erasure, outbox
from secure_auth.models import Role, User
from tests import services
from tests.unit.throttling.conftest import prepared


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A private database with all tables, empty: an index is taken where there is one that can be."""
    if request.param == "sqlite":
        with prepared({}, tmp_path):
            call_command("migrate", verbosity=0)
            yield request.param
        return
    services.require("postgres")
    with services.private_database() as url, prepared({"DATABASE_URL": url}, tmp_path):
        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")
            yield request.param


def test_dead_mail_and_admins_are_found_by_an_index(database: str) -> None:
    assert "outbox_dead" in outbox._dead().explain()
    admins = User.objects.filter(role=Role.ADMIN, disabled_at=None)
    assert "user_role" in admins.explain()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_accounts_to_be_erased_are_looked_up(database: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {erasure.DUE}")
        assert [row[3].split()[0] for row in cursor.fetchall()] == ["SEARCH"]
