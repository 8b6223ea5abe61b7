"""The text index takes free text as it was typed, no longer as JSON: the worker makes all blocks anew."""

from django.db import migrations


def _forget(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("UPDATE audit_textblock SET grams = NULL WHERE grams IS NOT NULL")


class Migration(migrations.Migration):
    dependencies = [("audit", "0011_row_numbers")]
    operations = [migrations.RunPython(_forget, migrations.RunPython.noop)]
