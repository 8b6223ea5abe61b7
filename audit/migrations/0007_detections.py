"""The detections: how far the log was followed, what windows count, what was recognised, and messages about it."""

from django.db import migrations, models

import audit.models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0006_contradiction"),
    ]

    operations = [
        migrations.CreateModel(
            name="DetectionCursor",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("log", models.SmallIntegerField()),
                ("index", models.BigIntegerField()),
                ("newest_ms", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="DetectionSlot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "group", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("group", audit.models.KeyField(max_length=64)),
                ("number", models.BigIntegerField()),
                ("expires_ms", models.BigIntegerField(db_index=True)),
                ("state", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="Detection",
            fields=[
                ("number", models.BigAutoField(primary_key=True, serialize=False)),
                ("id", audit.models.KeyField(max_length=36, unique=True)),
                ("rule", audit.models.KeyField(max_length=40)),
                ("severity", audit.models.KeyField(max_length=8)),
                ("kind", audit.models.KeyField(max_length=8)),
                ("first_event", audit.models.KeyField(max_length=36)),
                ("last_event", audit.models.KeyField(max_length=36)),
                ("count", models.BigIntegerField()),
                ("figures", models.JSONField()),
                ("earliest", models.JSONField()),
                ("latest", models.JSONField()),
                ("raised_at", models.DateTimeField()),
                ("announced", models.BooleanField()),
                ("acknowledgement", audit.models.KeyField(blank=True, max_length=36)),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("acknowledged_count", models.BigIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("rule"),
                        models.OrderBy(models.F("number"), descending=True),
                        name="audit_detection_rule",
                    ),
                    models.Index(
                        models.F("severity"),
                        models.OrderBy(models.F("number"), descending=True),
                        name="audit_detection_severity",
                    ),
                    models.Index(
                        models.F("rule"),
                        models.F("raised_at"),
                        condition=models.Q(("announced", True)),
                        name="audit_detection_raised",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookMessage",
            fields=[
                ("id", audit.models.KeyField(max_length=40, primary_key=True, serialize=False)),
                ("endpoint", audit.models.KeyField(max_length=16)),
                ("detection", audit.models.KeyField(max_length=36)),
                ("body", models.TextField()),
                ("queued_at", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("failed_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("failed_at", None), ("sent_at", None)),
                        fields=["next_attempt_at"],
                        name="audit_webhook_due",
                    )
                ],
            },
        ),
    ]
