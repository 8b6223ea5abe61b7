from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0006_lease"),
    ]

    operations = [
        migrations.AddField("key", "token_seconds", models.PositiveIntegerField(default=0)),
    ]
