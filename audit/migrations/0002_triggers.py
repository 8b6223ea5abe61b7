"""The triggers that keep the log append-only, and the function that counts floods (see audit/triggers.py)."""

from django.db import migrations

from audit.triggers import install_in_migration


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(install_in_migration, migrations.RunPython.noop)]
