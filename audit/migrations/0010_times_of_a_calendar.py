"""The log takes no time that a reader cannot read, and its head keeps when it began: see audit/triggers.py."""

from typing import ClassVar

from django.db import migrations

from audit.triggers import bound_times_in_migration, install_in_migration


class Migration(migrations.Migration):
    """Creates the triggers again, and the constraints on PostgreSQL."""

    dependencies: ClassVar = [("audit", "0009_own_retention")]
    operations: ClassVar = [
        migrations.RunPython(bound_times_in_migration, migrations.RunPython.noop),
        migrations.RunPython(install_in_migration, migrations.RunPython.noop),
    ]
