"""Counting attempts on PostgreSQL by fewer queries: the function of 0004 anew."""

from importlib import import_module

from django.db import migrations

create = import_module("throttling.migrations.0004_counting").create


class Migration(migrations.Migration):
    dependencies = [("throttling", "0004_counting")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
