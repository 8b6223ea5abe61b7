"""Django's `migrate`, whose migrations are done and noted in one transaction each.

Django notes one that adds indexes or foreign keys after its commit: killed between the two, the next start would make
the same tables once more, and none would succeed again.
"""

from typing import Any

from django.core.management.commands import migrate
from django.db import transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration


class NotingExecutor(MigrationExecutor):
    """Notes each migration in the transaction that makes it."""

    def apply_migration(self, state: Any, migration: Migration, *args: Any, **options: Any) -> Any:
        """Of a killed one nothing is left."""
        if not migration.atomic:
            return super().apply_migration(state, migration, *args, **options)
        # SQLite turns its constraints off in no transaction, and the editor of a schema wants them to be
        with self.connection.constraint_checks_disabled(), transaction.atomic(self.connection.alias):
            return super().apply_migration(state, migration, *args, **options)

    def unapply_migration(self, state: Any, migration: Migration, *args: Any, **options: Any) -> Any:
        """The same backwards."""
        if not migration.atomic:
            return super().unapply_migration(state, migration, *args, **options)
        with self.connection.constraint_checks_disabled(), transaction.atomic(self.connection.alias):
            return super().unapply_migration(state, migration, *args, **options)


migrate.MigrationExecutor = NotingExecutor  # type: ignore[attr-defined]


class Command(migrate.Command):
    """Django's own."""
