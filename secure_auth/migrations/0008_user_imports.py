from django.db import migrations, models
from django.utils import timezone


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0007_key_token_seconds"),
    ]

    operations = [
        migrations.CreateModel(
            name="UserImport",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0)),
                ("has_foreign_hashes", models.BooleanField(default=False)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AlterField("user", "password", models.CharField(max_length=512)),
        migrations.AlterField("user", "created_at", models.DateTimeField(default=timezone.now)),
    ]
