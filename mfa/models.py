"""Authenticators, recovery codes and the challenges of WebAuthn.

A TOTP secret is sealed with its row's id and owner as associated data: a copied row does not decrypt elsewhere.
Recovery codes are keyed digests. Of a passkey there is only the public key.
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
    """One recovery code: a digest by the key `key_id`, spent by a conditional UPDATE.

    Of codes that are older than that column it is empty: the first key made them.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    digest = models.CharField(max_length=64)
    key_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "digest"], name="one_recovery_code"),)

    def __str__(self) -> str:
        return str(self.pk)


class Passkey(models.Model):
    """One WebAuthn credential: what a passkey or a security key is known by. Its private key never leaves the person.

    `credential_id` is base64url and nobody else's. `sign_count` only grows; it stays 0 with authenticators that keep
    none. `seal` is a keyed digest of what never changes: a row that was written by another hand, or moved to another
    account, proves nothing.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(max_length=64, blank=True)
    credential_id = models.CharField(max_length=1364, unique=True)
    user_handle = models.CharField(max_length=86)
    public_key = models.BinaryField()
    seal = models.CharField(max_length=64)
    key_id = models.CharField(max_length=64)
    sign_count = models.BigIntegerField()
    transports = models.CharField(max_length=64, blank=True)
    aaguid = models.CharField(max_length=36)
    attestation = models.CharField(max_length=32)
    backup_eligible = models.BooleanField()
    backed_up = models.BooleanField()
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class Ceremony(models.Model):
    """One challenge that was handed out: for one purpose, in one pending login or session, until it is shown once."""

    class Purpose(models.TextChoices):
        BIND = "bind"
        LOGIN = "login"
        REAUTHENTICATE = "reauthenticate"

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="ceremonies")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    bound_to = models.CharField(max_length=36)
    challenge = models.CharField(max_length=43, unique=True)
    user_handle = models.CharField(max_length=86, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.id


# Everything that an account proves itself with beside its password, and what is under way for it.
FACTORS = (TotpAuthenticator, Passkey, Ceremony, RecoveryCode)
