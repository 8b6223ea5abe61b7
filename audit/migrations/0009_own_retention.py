"""The trigger that keeps events reads the cut-off of its own schema, not of a temporary table."""

from typing import ClassVar

from django.db import migrations

from audit.triggers import install_in_migration


class Migration(migrations.Migration):
    """Creates the triggers again."""

    dependencies: ClassVar = [("audit", "0008_detection_notes")]
    operations: ClassVar = [migrations.RunPython(install_in_migration, migrations.RunPython.noop)]
