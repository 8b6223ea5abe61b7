"""The limiter's functions anew, as they stand in `bucket_functions.sql`: locks that nobody was told of are kept."""

from pathlib import Path

from django.db import migrations

FUNCTIONS = Path(__file__).with_name("bucket_functions.sql")


def replace(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTIONS.read_text(encoding="utf-8"), params=None)


class Migration(migrations.Migration):
    dependencies = [("throttling", "0002_postgresql_functions")]
    operations = [migrations.RunPython(replace, migrations.RunPython.noop)]
