"""The tables of the log. `audit.append` alone writes rows, in plain SQL; triggers refuse to change them.

Events and entries name each other by id, without foreign keys: what retention takes away leaves the rest
valid.
"""

from django.db import models
from django.db.models import F, Q

from audit.detections import tables  # noqa: F401 Django finds the models of an app here
from audit.fields import KeyField


def _by(name: str, *, when: Q | None = None, order: str = "id") -> models.Index:
    """An index that gives a filter's events newest first."""
    return models.Index(F(name), F(order).desc(), name=f"audit_{order}_{name}"[:30], condition=when)


class Event(models.Model):
    """What happened, without personal data: insert-only. `commitments` stand for what is in PersonalData."""

    id = KeyField(primary_key=True, max_length=36)
    time = models.DateTimeField()
    type = KeyField(max_length=40)
    outcome = KeyField(max_length=8)
    reason = KeyField(max_length=40, blank=True)
    severity = KeyField(max_length=8)
    session = KeyField(max_length=64, blank=True)
    request_id = KeyField(max_length=128, blank=True)
    details = models.JSONField()
    commitments = models.JSONField()

    class Meta:
        indexes = (
            _by("type"),
            models.Index(F("type"), F("outcome"), F("id").desc(), name="audit_id_type_outcome"),
            _by("outcome"),
            _by("severity"),
            _by("session", when=~Q(session="")),
            _by("request_id", when=~Q(request_id="")),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class PersonalData(models.Model):
    """The values and salts behind an event's commitments. Rows may be deleted, never changed."""

    event = KeyField(primary_key=True, max_length=36)
    user = KeyField(max_length=64, blank=True)
    subject = KeyField(max_length=64, blank=True)
    ip = KeyField(max_length=45, blank=True)
    user_agent = models.TextField(blank=True)
    foreign_request_id = models.TextField(blank=True)
    text = models.JSONField()
    salts = models.JSONField()

    class Meta:
        indexes = (
            _by("user", when=~Q(user=""), order="event"),
            _by("subject", when=~Q(subject=""), order="event"),
            _by("ip", when=~Q(ip=""), order="event"),
        )

    def __str__(self) -> str:
        return self.event


class Log(models.Model):
    """One transparency log and its head: the size and the RFC 9162 root of what is integrated.

    The highest `id` is the current log; `new_log` ends it and begins the next. A head only grows.
    """

    id = models.SmallIntegerField(primary_key=True)
    origin = KeyField(max_length=200, unique=True)
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.origin


class Entry(models.Model):
    """An event's place in a log: insert-only for ever."""

    pk = models.CompositePrimaryKey("log", "index")
    log = models.SmallIntegerField()
    index = models.BigIntegerField()
    event = KeyField(max_length=36, unique=True)
    leaf_hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.index} {self.event}"


class Node(models.Model):
    """The hash of a full subtree of 256**level entries, level >= 1: what C2SP tiles above level 0 are made of."""

    pk = models.CompositePrimaryKey("log", "level", "index")
    log = models.SmallIntegerField()
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed head (C2SP tlog-checkpoint). Old ones may be deleted: a newer one vouches for the same entries."""

    pk = models.CompositePrimaryKey("log", "size")
    log = models.SmallIntegerField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    time = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.log} {self.size}"


class Cosignature(models.Model):
    """A witness's signature line under a checkpoint (C2SP tlog-cosignature)."""

    pk = models.CompositePrimaryKey("log", "size", "witness")
    log = models.SmallIntegerField()
    size = models.BigIntegerField()
    witness = KeyField(max_length=200)
    line = models.TextField()
    time = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.witness} {self.size}"


class Contradiction(models.Model):
    """What a witness said of a log that cannot be, if the log only grew; gone when the witness cosigns again."""

    pk = models.CompositePrimaryKey("log", "witness")
    log = models.SmallIntegerField()
    witness = KeyField(max_length=200)
    size = models.BigIntegerField()
    known_size = models.BigIntegerField()
    why = KeyField(max_length=200)
    time = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.witness} {self.known_size}"


class Pending(models.Model):
    """An event that has no entry yet. Written with the event, removed with the entry's insertion."""

    event = KeyField(primary_key=True, max_length=36)

    def __str__(self) -> str:
        return self.event


class Retention(models.Model):
    """Events before the highest `cutoff` may be deleted. Insert-only; only pruning writes here."""

    cutoff = models.DateTimeField()
    time = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.cutoff.isoformat()


class Rollup(models.Model):
    """How many events of one kind a span of `seconds` from `start` (Unix time) holds: see audit.summary."""

    pk = models.CompositePrimaryKey("seconds", "start", "type", "outcome", "severity")
    seconds = models.IntegerField()
    start = models.BigIntegerField()
    type = KeyField(max_length=40)
    outcome = KeyField(max_length=8)
    severity = KeyField(max_length=8)
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.start} {self.type} {self.count}"


class RollupMark(models.Model):
    """One row: the last position in the tree that Rollup counts."""

    id = models.SmallIntegerField(primary_key=True)
    position = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.position)


class Tally(models.Model):
    """The events that one window of a flood counted instead of writing. Several rows may share one window."""

    bucket = KeyField(max_length=64)
    first_event = KeyField(max_length=36)
    ends_at = models.DateTimeField()
    count = models.BigIntegerField()
    user = KeyField(max_length=64, blank=True)
    session = KeyField(max_length=64, blank=True)
    about = models.JSONField()

    class Meta:
        indexes = (
            models.Index(fields=("bucket", "ends_at"), name="audit_tally_bucket"),
            models.Index(fields=("ends_at",), name="audit_tally_ends_at"),
        )

    def __str__(self) -> str:
        return f"{self.bucket} {self.count}"
