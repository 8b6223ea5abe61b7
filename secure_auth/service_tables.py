"""What the service keeps for itself: clients of introspection, mails, keys, imports, the lead."""

from django.db import models
from django.db.models import Q

from secure_auth.ids import new_id


class Client(models.Model):
    """Another service that may introspect tokens. Its secret is known by a keyed digest."""

    NAME_LENGTH = 64

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    name = models.CharField(max_length=NAME_LENGTH)
    secret_digest = models.CharField(max_length=64)
    key_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["name"], condition=Q(revoked_at=None), name="one_live_client"),
        )

    def __str__(self) -> str:
        return self.id


class OutboxMessage(models.Model):
    """A mail to be sent: a template and what it needs, no token. Written in the transaction of what it reports.

    Of those with the same `once` there is one. `error` is a class of error and a number, never a server's words.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    template = models.CharField(max_length=32)
    to = models.CharField(max_length=320)
    context = models.JSONField(default=dict)
    token = models.ForeignKey("secure_auth.MailToken", null=True, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    next_attempt_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=64, blank=True)
    once = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 unset is no value

    class Meta:
        indexes = (
            models.Index(
                fields=["next_attempt_at"], condition=Q(sent_at=None, failed_at=None), name="outbox_due"
            ),
            models.Index(
                fields=["failed_at"], condition=Q(sent_at=None, failed_at__isnull=False), name="outbox_dead"
            ),
        )

    def __str__(self) -> str:
        return self.id


class Key(models.Model):
    """One key of a ring: its public half in clear, the rest sealed by the master key."""

    class Purpose(models.TextChoices):
        SIGNING = "signing"
        ENCRYPTION = "encryption"
        AUDIT = "audit"
        DIGEST = "digest"

    class State(models.TextChoices):
        """In this order and never back. A key that is gone keeps its name and its public half, nothing else."""

        NEXT = "next"
        ACTIVE = "active"
        RETIRED = "retired"
        GONE = "gone"

    kid = models.CharField(primary_key=True, max_length=64)
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    state = models.CharField(max_length=8, choices=State.choices)
    algorithm = models.CharField(max_length=16)
    public = models.JSONField(default=dict)
    sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    token_seconds = models.PositiveIntegerField(
        default=0
    )  # the longest life of a token that it may have signed
    activated_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["purpose"], condition=Q(state="active"), name="one_active_key"),
            models.UniqueConstraint(fields=["purpose"], condition=Q(state="next"), name="one_next_key"),
        )

    def __str__(self) -> str:
        return self.kid


class UserImport(models.Model):
    """How far the import of a file is; its id is a digest of the file. Whether accounts of it
    may still have hashes of another kind than ours stands in `has_foreign_hashes`.
    """

    id = models.CharField(primary_key=True, max_length=64)
    position = models.BigIntegerField(default=0)
    has_foreign_hashes = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class Lease(models.Model):
    """The right to do background work, until it expires. PostgreSQL only: SQLite's holder has a lock on a file."""

    name = models.CharField(primary_key=True, max_length=32)
    holder = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.holder}"
