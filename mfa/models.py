"""Authenticators and recovery codes.

A TOTP secret is sealed with its row's id and owner as associated data: a copied row does not decrypt elsewhere.
Recovery codes are keyed digests.
"""

import uuid_utils
from django.conf import settings
from django.db import models
from django.db.models import Q


def new_id() -> str:
    """A UUIDv7 as text."""
    return str(uuid_utils.uuid7())


class TotpAuthenticator(models.Model):
    """One authenticator app. `last_step` is the newest accepted time step: no step is accepted twice or backwards."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="totp_authenticators"
    )
    name = models.CharField(max_length=64, blank=True)
    sealed_secret = models.BinaryField()
    key_id = models.CharField(max_length=64)
    algorithm = models.CharField(max_length=8, default="SHA1")
    digits = models.PositiveSmallIntegerField(default=6)
    pending_login = models.CharField(max_length=36, blank=True)
    last_step = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index("user", name="totp_confirmed", condition=Q(confirmed_at__isnull=False)),)

    def __str__(self) -> str:
        return self.id


class RecoveryCode(models.Model):
    """One recovery code: a keyed digest, spent by a conditional UPDATE."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "digest"], name="one_recovery_code"),)

    def __str__(self) -> str:
        return str(self.pk)
