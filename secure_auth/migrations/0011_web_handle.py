from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0010_mail_recovery_address"),
    ]

    operations = [
        migrations.AddField(
            "session", "web_digest", models.CharField(max_length=64, blank=True, default="", db_default="")
        ),
    ]
