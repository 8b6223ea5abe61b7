from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("secure_auth", "0013_device_key_before"),
    ]

    operations = [
        migrations.AddIndex(model_name="user", index=models.Index("role", name="user_role")),
        migrations.AddIndex(
            model_name="outboxmessage",
            index=models.Index(
                fields=["failed_at"], condition=Q(sent_at=None, failed_at__isnull=False), name="outbox_dead"
            ),
        ),
    ]
