"""The tables of the detections: derived from the log, without personal data, and not guarded as it is."""

from django.db import models
from django.db.models import F, Q

from audit.fields import KeyField


class DetectionCursor(models.Model):
    """How far the detections have followed the log: one row. Lateness is judged by `newest_ms` (Unix time)."""

    id = models.SmallIntegerField(primary_key=True)
    log = models.SmallIntegerField()
    index = models.BigIntegerField()
    newest_ms = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.log} {self.index}"


class DetectionSlot(models.Model):
    """What one rule counted of one thing in a part of its window: keyed digests, counts, and ids of events."""

    pk = models.CompositePrimaryKey("group", "number")
    group = KeyField(max_length=64)
    number = models.BigIntegerField()
    expires_ms = models.BigIntegerField(db_index=True)
    state = models.TextField()

    def __str__(self) -> str:
        return f"{self.group} {self.number}"


class Detection(models.Model):
    """An attack recognised in the log: which rule, and the ids of events that show it. No personal data.

    `number` is the order of raising, `id` a digest of rule, group and day. `acknowledgement` names the event of the
    last one, `DetectionNote` those of all.
    """

    number = models.BigAutoField(primary_key=True)
    id = KeyField(max_length=36, unique=True)
    rule = KeyField(max_length=40)
    severity = KeyField(max_length=8)
    kind = KeyField(max_length=8)
    first_event = KeyField(max_length=36)
    last_event = KeyField(max_length=36)
    count = models.BigIntegerField()
    figures = models.JSONField()
    earliest = models.JSONField()
    latest = models.JSONField()
    raised_at = models.DateTimeField()
    announced = models.BooleanField()
    acknowledgement = KeyField(max_length=36, blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_count = models.BigIntegerField(default=0)

    class Meta:
        indexes = (
            models.Index("rule", F("number").desc(), name="audit_detection_rule"),
            models.Index("severity", F("number").desc(), name="audit_detection_severity"),
            models.Index("rule", "raised_at", name="audit_detection_raised", condition=Q(announced=True)),
        )

    def __str__(self) -> str:
        return f"{self.rule} {self.id}"


class DetectionNote(models.Model):
    """One acknowledgement of a detection, by the id of its event, in which the note and its author stand."""

    event = KeyField(primary_key=True, max_length=36)
    detection = KeyField(max_length=36)
    at = models.DateTimeField()
    count = models.BigIntegerField()

    class Meta:
        indexes = (models.Index("detection", F("event").desc(), name="audit_detection_note"),)

    def __str__(self) -> str:
        return self.event


class WebhookMessage(models.Model):
    """A message about a detection to one receiver, but for its signature. `endpoint` is a digest of the URL."""

    id = KeyField(primary_key=True, max_length=40)
    endpoint = KeyField(max_length=16)
    detection = KeyField(max_length=36)
    body = models.TextField()
    queued_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(sent_at=None, failed_at=None),
                name="audit_webhook_due",
            ),
        )

    def __str__(self) -> str:
        return self.id
