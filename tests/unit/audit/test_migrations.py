"""The log's migrations go back, as after an upgrade that is taken back, and forward again, with a log in the tables."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from audit.checks import missing_triggers
from audit.models import Checkpoint, Event
from tests.unit.audit.test_triggers import fill, refused

pytestmark = pytest.mark.usefixtures("log")
OLDEST = "0003_tree"  # before it there was no log to go on with


def names() -> list[str]:
    return sorted(
        name for app, name in MigrationLoader(connection).disk_migrations if app == "audit" and name >= OLDEST
    )


def test_a_log_outlives_each_migration_undone_and_done_again() -> None:
    event_id = fill()
    for earlier in names()[-2::-1]:
        call_command("migrate", "audit", earlier, verbosity=0)
        call_command("migrate", "audit", verbosity=0)
        assert missing_triggers() == []
        assert [event.id for event in Event.objects.all()] == [event_id]
        assert Checkpoint.objects.count() == 1
        assert refused("UPDATE audit_event SET type = 'x'")
