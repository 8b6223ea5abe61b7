"""What the console keeps beside the log: when a session was last there, open live tails, verifications asked for.

Nothing here is evidence: each of them is an event, and losing a row loses no more than a page's state.
"""

from django.db import models
from django.db.models import Q

from audit.fields import KeyField


class ConsoleVisit(models.Model):
    """When a session was last used in the console: what its idle limit counts from."""

    session = KeyField(primary_key=True, max_length=36)
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.session


class LiveTail(models.Model):
    """An open live tail: at most one a session. `query` holds its filters, `results` what it has shown."""

    id = KeyField(primary_key=True, max_length=36)
    session = KeyField(max_length=36, unique=True)
    user = KeyField(max_length=36)
    query = models.TextField()
    ip = KeyField(max_length=45, blank=True)
    results = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.id


class LogVerification(models.Model):
    """A verification of the whole log. Whoever works at it keeps `seen_at` young; `is_open` is null when it is over.

    `lines` are what `verify_log` printed, `verdict` its last line: `ok: …`, `BAD: …`, or why there is none.
    """

    id = KeyField(primary_key=True, max_length=36)
    is_open = models.BooleanField(null=True, default=True)
    asked_at = models.DateTimeField(db_index=True)
    started_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    lines = models.TextField(blank=True)
    verdict = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["is_open"], condition=Q(is_open=True), name="one_open_verification"
            ),
        )

    def __str__(self) -> str:
        return self.id

    @property
    def is_good(self) -> bool:
        """Whether the log was found to be what it was."""
        return self.verdict.startswith("ok: ")
