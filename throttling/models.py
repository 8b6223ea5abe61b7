"""Where the database keeps limits: one row a bucket.

``state`` is the JSON that ``throttling.stores.bucket`` describes. A row may be deleted once ``expires_at``
has passed: then its state equals no state.
"""

from django.db import models


class Bucket(models.Model):
    pk = models.CompositePrimaryKey("owner", "purpose", "key")
    owner = models.CharField(max_length=120)
    purpose = models.CharField(max_length=40)
    key = models.CharField(max_length=80)
    state = models.JSONField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.purpose} {self.owner} {self.key}"
