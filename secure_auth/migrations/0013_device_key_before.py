from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0012_console"),
    ]

    operations = [
        migrations.AddField(
            "knowndevice",
            "key_before",
            models.CharField(max_length=64, blank=True, default="", db_default=""),
        ),
    ]
