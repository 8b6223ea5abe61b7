from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0004_familiar_source"),
    ]

    operations = [
        # A digest that stands there begins with what is remembered of it now.
        migrations.RenameField("session", "previous_key_digest", "superseded_keys"),
        migrations.AlterField("session", "superseded_keys", models.CharField(blank=True, max_length=512)),
    ]
