"""On SQLite the triggers refuse to replace a row by its number too: see audit/triggers.py."""

from typing import ClassVar

from django.db import migrations

from audit.triggers import install_in_migration


class Migration(migrations.Migration):
    """Creates the triggers again."""

    dependencies: ClassVar = [("audit", "0010_times_of_a_calendar")]
    operations: ClassVar = [migrations.RunPython(install_in_migration, migrations.RunPython.noop)]
