from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("mfa", "0003_passkeys"),
    ]

    operations = [
        migrations.AddField(
            "recoverycode", "key_id", models.CharField(max_length=64, blank=True, default="", db_default="")
        ),
    ]
