from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("mfa", "0001_initial"),
    ]

    operations = [
        migrations.AddField("totpauthenticator", "algorithm", models.CharField(default="SHA1", max_length=8)),
        migrations.AddField("totpauthenticator", "digits", models.PositiveSmallIntegerField(default=6)),
    ]
