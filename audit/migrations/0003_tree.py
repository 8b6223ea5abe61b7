"""The tree: logs with their heads, entries by log, nodes, checkpoints, and the queue of what is pending."""

from django.db import migrations, models

import audit.models
from audit.triggers import install_in_migration

QUEUE = "INSERT INTO audit_pending (event) SELECT id FROM audit_event"


def _queue(apps, schema_editor):
    schema_editor.execute(QUEUE)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_triggers")]
    operations = [
        migrations.DeleteModel(name="Entry"),
        migrations.CreateModel(
            name="Log",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("origin", audit.models.KeyField(max_length=200, unique=True)),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log", "index", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("log", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("event", audit.models.KeyField(max_length=36, unique=True)),
                ("leaf_hash", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="Node",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log", "level", "index", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("log", models.SmallIntegerField()),
                ("level", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log", "size", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("log", models.SmallIntegerField()),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("note", models.TextField()),
                ("time", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "log",
                        "size",
                        "witness",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("log", models.SmallIntegerField()),
                ("size", models.BigIntegerField()),
                ("witness", audit.models.KeyField(max_length=200)),
                ("line", models.TextField()),
                ("time", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Pending",
            fields=[("event", audit.models.KeyField(max_length=36, primary_key=True, serialize=False))],
        ),
        migrations.RunPython(_queue, migrations.RunPython.noop),
        migrations.RunPython(install_in_migration, migrations.RunPython.noop),
    ]
