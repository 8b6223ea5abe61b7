"""Counts for charts, and how far they go (see audit/summary.py)."""

from django.db import migrations, models

import audit.models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_tree"),
    ]

    operations = [
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "seconds",
                        "start",
                        "type",
                        "outcome",
                        "severity",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("seconds", models.IntegerField()),
                ("start", models.BigIntegerField()),
                ("type", audit.models.KeyField(max_length=40)),
                ("outcome", audit.models.KeyField(max_length=8)),
                ("severity", audit.models.KeyField(max_length=8)),
                ("count", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="RollupMark",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField()),
            ],
        ),
    ]
