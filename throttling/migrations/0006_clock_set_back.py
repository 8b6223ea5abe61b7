"""The functions on PostgreSQL anew: what a clock that was ahead counted is let go of once it is set right."""

from importlib import import_module

from django.db import migrations

MODULES = ("0003_unsaid_locks", "0004_counting")
buckets, counts = (import_module(f"throttling.migrations.{name}") for name in MODULES)


class Migration(migrations.Migration):
    dependencies = [("throttling", "0005_quicker_counting")]
    operations = [
        migrations.RunPython(buckets.replace, migrations.RunPython.noop),
        migrations.RunPython(counts.create, migrations.RunPython.noop),
    ]
