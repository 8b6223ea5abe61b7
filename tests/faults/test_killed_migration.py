"""Migrations that are killed before they are noted: nothing of them is left, and the next start makes them."""

import signal
from pathlib import Path

import pytest

from tests import services
from tests.server import NEEDS, running_server

pytestmark = pytest.mark.xdist_group("killed migration")
KILLED = """
import os, signal
from django.core.management import call_command
from django.db.migrations.executor import MigrationExecutor
note = MigrationExecutor.record_migration
def die(executor, migration):
    if migration.app_label == "{0}":
        os.kill(os.getpid(), signal.SIGKILL)
    note(executor, migration)
MigrationExecutor.record_migration = die
call_command("migrate", verbosity=0)
"""


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_a_migration_killed_before_it_is_noted_is_made_by_the_next_start(
    backend: str, tmp_path: Path
) -> None:
    services.require(*NEEDS[backend])
    with running_server(backend, tmp_path, nodes=0, first_start=True) as server:
        server.data_dir.mkdir(mode=0o700)
        for app in ("audit", "auth", "axes", "secure_auth"):
            done = server.manage("shell", "--no-imports", "-c", KILLED.format(app), check=False)
            assert done.returncode == -signal.SIGKILL, app
        made = server.manage("create_user", "ada@example.org", stdin="nine green lamps in the hall\n")
        assert made.stdout.startswith("created ada@example.org")
        assert server.rows("SELECT count(*) FROM secure_auth_user") == [(1,)]
