"""Attempts are counted by a function of their own on PostgreSQL: each request counts one."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = Path(__file__).with_name("count_functions.sql")


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTIONS.read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [("throttling", "0003_unsaid_locks")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
