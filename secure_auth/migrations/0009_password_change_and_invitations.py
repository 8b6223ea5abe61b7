import django.db.models.deletion
from django.db import migrations, models

import secure_auth.ids


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0008_user_imports"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="must_change_password",
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.AddField(
            model_name="user",
            name="must_change_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="mailtoken",
            name="purpose",
            field=models.CharField(
                choices=[
                    ("confirm", "Confirm"),
                    ("reset", "Reset"),
                    ("enrol", "Enrol"),
                    ("invite", "Invite"),
                ],
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=secure_auth.ids.new_id, max_length=36, primary_key=True, serialize=False
                    ),
                ),
                ("email", models.CharField(max_length=320)),
                ("email_key", models.CharField(db_index=True, max_length=320)),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[("", "none"), ("auditor", "Auditor"), ("admin", "Admin")],
                        default="",
                        max_length=16,
                    ),
                ),
                ("invited_by", models.CharField(blank=True, max_length=36)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("accepted_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "token",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, to="secure_auth.mailtoken"
                    ),
                ),
            ],
        ),
    ]
