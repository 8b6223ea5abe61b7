import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import secure_auth.ids


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0009_password_change_and_invitations"),
    ]

    operations = [
        migrations.AddField(
            model_name="outboxmessage",
            name="error",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="outboxmessage",
            name="once",
            field=models.CharField(max_length=64, null=True, unique=True),
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
                    ("old_address", "Old Address"),
                    ("new_address", "New Address"),
                    ("cancel_reset", "Cancel Reset"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="AddressChange",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=secure_auth.ids.new_id, max_length=36, primary_key=True, serialize=False
                    ),
                ),
                ("session_id", models.CharField(max_length=36)),
                ("credential_version", models.PositiveIntegerField()),
                ("email", models.CharField(max_length=320)),
                ("email_key", models.CharField(max_length=320)),
                ("created_at", models.DateTimeField(db_index=True)),
                ("old_confirmed_at", models.DateTimeField(null=True)),
                ("new_confirmed_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="mailtoken",
            name="change",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, to="secure_auth.addresschange"
            ),
        ),
        migrations.CreateModel(
            name="FactorReset",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=secure_auth.ids.new_id, max_length=36, primary_key=True, serialize=False
                    ),
                ),
                ("actor", models.CharField(blank=True, max_length=36)),
                ("created_at", models.DateTimeField()),
                ("remind_at", models.DateTimeField()),
                ("effective_at", models.DateTimeField()),
                ("reminded_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="mailtoken",
            name="reset",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, to="secure_auth.factorreset"
            ),
        ),
        migrations.AddConstraint(
            model_name="addresschange",
            constraint=models.UniqueConstraint(
                condition=models.Q(("settled_at", None)), fields=("user",), name="one_open_address_change"
            ),
        ),
        migrations.AddConstraint(
            model_name="factorreset",
            constraint=models.UniqueConstraint(
                condition=models.Q(("settled_at", None)), fields=("user",), name="one_open_factor_reset"
            ),
        ),
    ]
