"""Every acknowledgement of a detection by its event: a later one no longer hides those before."""

from django.db import migrations, models

import audit.fields


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0007_detections"),
    ]

    operations = [
        migrations.CreateModel(
            name="DetectionNote",
            fields=[
                ("event", audit.fields.KeyField(max_length=36, primary_key=True, serialize=False)),
                ("detection", audit.fields.KeyField(max_length=36)),
                ("at", models.DateTimeField()),
                ("count", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("detection"),
                        models.OrderBy(models.F("event"), descending=True),
                        name="audit_detection_note",
                    )
                ],
            },
        ),
    ]
