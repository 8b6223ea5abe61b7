from django.db import migrations, models

import secure_auth.models


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0002_device_generation"),
    ]

    operations = [
        migrations.AddField(
            model_name="key",
            name="gone_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="key",
            name="state",
            field=models.CharField(
                choices=[("next", "Next"), ("active", "Active"), ("retired", "Retired"), ("gone", "Gone")],
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="Client",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=secure_auth.models.new_id, max_length=36, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("secret_digest", models.CharField(max_length=64)),
                ("key_id", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at", None)), fields=("name",), name="one_live_client"
                    )
                ],
            },
        ),
    ]
