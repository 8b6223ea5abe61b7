from django.db import migrations, models

import audit.models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                ("event", audit.models.KeyField(max_length=36, unique=True)),
                ("leaf_hash", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="Retention",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cutoff", models.DateTimeField()),
                ("time", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", audit.models.KeyField(max_length=36, primary_key=True, serialize=False)),
                ("time", models.DateTimeField()),
                ("type", audit.models.KeyField(max_length=40)),
                ("outcome", audit.models.KeyField(max_length=8)),
                ("reason", audit.models.KeyField(blank=True, max_length=40)),
                ("severity", audit.models.KeyField(max_length=8)),
                ("session", audit.models.KeyField(blank=True, max_length=64)),
                ("request_id", audit.models.KeyField(blank=True, max_length=128)),
                ("details", models.JSONField()),
                ("commitments", models.JSONField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("type"),
                        models.OrderBy(models.F("id"), descending=True),
                        name="audit_id_type",
                    ),
                    models.Index(
                        models.F("outcome"),
                        models.OrderBy(models.F("id"), descending=True),
                        name="audit_id_outcome",
                    ),
                    models.Index(
                        models.F("severity"),
                        models.OrderBy(models.F("id"), descending=True),
                        name="audit_id_severity",
                    ),
                    models.Index(
                        models.F("session"),
                        models.OrderBy(models.F("id"), descending=True),
                        condition=models.Q(("session", ""), _negated=True),
                        name="audit_id_session",
                    ),
                    models.Index(
                        models.F("request_id"),
                        models.OrderBy(models.F("id"), descending=True),
                        condition=models.Q(("request_id", ""), _negated=True),
                        name="audit_id_request_id",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PersonalData",
            fields=[
                ("event", audit.models.KeyField(max_length=36, primary_key=True, serialize=False)),
                ("user", audit.models.KeyField(blank=True, max_length=64)),
                ("subject", audit.models.KeyField(blank=True, max_length=64)),
                ("ip", audit.models.KeyField(blank=True, max_length=45)),
                ("user_agent", models.TextField(blank=True)),
                ("foreign_request_id", models.TextField(blank=True)),
                ("text", models.JSONField()),
                ("salts", models.JSONField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("user"),
                        models.OrderBy(models.F("event"), descending=True),
                        condition=models.Q(("user", ""), _negated=True),
                        name="audit_event_user",
                    ),
                    models.Index(
                        models.F("subject"),
                        models.OrderBy(models.F("event"), descending=True),
                        condition=models.Q(("subject", ""), _negated=True),
                        name="audit_event_subject",
                    ),
                    models.Index(
                        models.F("ip"),
                        models.OrderBy(models.F("event"), descending=True),
                        condition=models.Q(("ip", ""), _negated=True),
                        name="audit_event_ip",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("bucket", audit.models.KeyField(max_length=64)),
                ("first_event", audit.models.KeyField(max_length=36)),
                ("ends_at", models.DateTimeField()),
                ("count", models.BigIntegerField()),
                ("user", audit.models.KeyField(blank=True, max_length=64)),
                ("session", audit.models.KeyField(blank=True, max_length=64)),
                ("about", models.JSONField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["bucket", "ends_at"], name="audit_tally_bucket"),
                    models.Index(fields=["ends_at"], name="audit_tally_ends_at"),
                ],
            },
        ),
    ]
