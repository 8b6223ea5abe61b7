"""Accounts, invitations, pending logins, sessions, devices, familiar sources, mailed tokens, mail rows and keys.

No table holds a password, code, token or secret
that works by itself: passwords are Argon2id hashes, mailed and device tokens are derived from a row's id by a keyed
digest when they are needed, refresh tokens are known by a digest, private keys are sealed by the master key.
"""

from collections.abc import Iterable

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F
from django.utils import timezone

from secure_auth.console_tables import ConsoleVisit, LiveTail, LogVerification
from secure_auth.delayed_tables import AddressChange, FactorReset
from secure_auth.ids import is_id, new_id
from secure_auth.service_tables import Client, Key, Lease, OutboxMessage, UserImport

__all__ = [
    "AddressChange",
    "Client",
    "ConsoleVisit",
    "FactorReset",
    "FamiliarSource",
    "Invitation",
    "Key",
    "KnownDevice",
    "Lease",
    "LiveTail",
    "LogVerification",
    "MailToken",
    "OutboxMessage",
    "PendingLogin",
    "Registration",
    "Role",
    "Session",
    "User",
    "UserImport",
    "is_id",
    "new_id",
]


class Role(models.TextChoices):
    """What an account may do beyond its own affairs; admin includes auditor."""

    NONE = "", "none"
    AUDITOR = "auditor"
    ADMIN = "admin"


class User(AbstractBaseUser):
    """A person with a confirmed mailbox. `credential_version` changes whenever a secret or the right to use one does.

    A login that began under one version and ends under another loses its race.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    email = models.CharField(max_length=320)
    email_key = models.CharField(max_length=320, unique=True)
    password = models.CharField(max_length=512)  # an imported hash is longer than one of ours
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.NONE, blank=True)
    credential_version = models.PositiveIntegerField(default=1)
    mailbox_proved_at = models.DateTimeField()
    had_second_factor = models.BooleanField(default=False)
    disabled_at = models.DateTimeField(null=True)
    must_change_password = models.CharField(max_length=16, blank=True)  # why; empty: it need not
    must_change_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_login = None
    # A view of an adopting project that asks for rights of Django's own opens to nobody: roles tell who may what.
    is_staff = is_superuser = False

    # What stands before the key of an account that was erased, or deleted by its owner: nobody acts on it any more.
    GONE = ("erased:", "deleted:")

    USERNAME_FIELD = "email_key"
    EMAIL_FIELD = "email"

    class Meta:
        indexes = (
            models.Index("created_at", name="user_created"),
            models.Index("role", name="user_role"),
        )

    def __str__(self) -> str:
        return self.id

    @classmethod
    def present(cls) -> models.QuerySet["User"]:
        """All accounts but those that are gone."""
        rows = cls.objects.all()
        for mark in cls.GONE:
            rows = rows.exclude(email_key__startswith=mark)
        return rows

    @property
    def is_gone(self) -> bool:
        """Whether it was erased, or deleted by its owner."""
        return self.email_key.startswith(self.GONE)

    def has_perm(self, permission: str, obj: object = None) -> bool:
        """Asked by Django's decorators and Django REST framework's permission classes: nobody has any."""
        return False

    def has_perms(self, permissions: Iterable[str], obj: object = None) -> bool:
        return not list(permissions)

    @property
    def roles(self) -> list[str]:
        """The roles claim: admin includes auditor."""
        return {Role.ADMIN: ["admin", "auditor"], Role.AUDITOR: ["auditor"]}.get(Role(self.role), [])


class Registration(models.Model):
    """One registration of an address that no account confirmed yet. Each stands alone with its own password."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    email = models.CharField(max_length=320)
    email_key = models.CharField(max_length=320, db_index=True)
    password = models.CharField(max_length=256)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.NONE, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.id


class MailToken(models.Model):
    """A one-time token that a mail carries. The token itself is derived from the id and the key `key_id`."""

    class Purpose(models.TextChoices):
        CONFIRM = "confirm"
        RESET = "reset"
        ENROL = "enrol"
        INVITE = "invite"
        OLD_ADDRESS = "old_address"
        NEW_ADDRESS = "new_address"
        CANCEL_RESET = "cancel_reset"

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    key_id = models.CharField(max_length=64)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE)
    registration = models.ForeignKey(Registration, null=True, on_delete=models.CASCADE)
    change = models.ForeignKey(AddressChange, null=True, on_delete=models.CASCADE)
    reset = models.ForeignKey(FactorReset, null=True, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class Invitation(models.Model):
    """The right to make an account of an address. Its mailed token proves the mailbox; it is good once."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    email = models.CharField(max_length=320)
    email_key = models.CharField(max_length=320, db_index=True)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.NONE, blank=True)
    token = models.OneToOneField(MailToken, on_delete=models.CASCADE)
    invited_by = models.CharField(max_length=36, blank=True)  # an admin's id; empty: a command
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class KnownDevice(models.Model):
    """A device that completed a full login and was asked to be remembered. It opens a lane of the limits, no door.

    Its token names a `generation`: each login that remembers it again advances that; the token before the last dies.
    `key_id` made the last token, `key_before` the one before, where another key did.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="devices")
    key_id = models.CharField(max_length=64)
    key_before = models.CharField(max_length=64, blank=True, default="", db_default="")
    generation = models.PositiveIntegerField(default=0)
    user_agent = models.CharField(max_length=256, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class FamiliarSource(models.Model):
    """A kind of browser in a network that completed a login of an account, known by a keyed digest of the three."""

    digest = models.CharField(primary_key=True, max_length=64)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest


class PendingLogin(models.Model):
    """A login whose password was proved and whose second step is open. Its partial token names it by id."""

    class Next(models.TextChoices):
        VERIFY = "verify"
        ENROLL = "enroll"

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    next = models.CharField(max_length=8, choices=Next.choices)
    credential_version = models.PositiveIntegerField()
    device_id = models.CharField(max_length=36, blank=True)
    ip = models.CharField(max_length=45)
    needs_mailed_token = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.id


class Session(models.Model):
    """One completed login and one refresh-token family: one row, however often it is refreshed.

    The refresh token of `generation` is the live one. `key_digest` belongs to the Idempotency-Key that made it;
    `superseded_keys` holds the beginnings of the digests before, newest first, all of one length. A session of the
    pages is known by `web_digest` and has no refresh token.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    generation = models.PositiveIntegerField(default=0)
    refresh_digest = models.CharField(max_length=64)
    key_digest = models.CharField(max_length=64, blank=True)
    superseded_keys = models.CharField(max_length=512, blank=True)
    created_at = models.DateTimeField()
    auth_time = models.DateTimeField()
    amr = models.CharField(max_length=64)
    rotated_at = models.DateTimeField()
    idle_expires_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoke_reason = models.CharField(max_length=32, blank=True)
    ip = models.CharField(max_length=45)
    user_agent = models.CharField(max_length=256, blank=True)
    device_id = models.CharField(max_length=36, blank=True)
    web_digest = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        indexes = (models.Index(F("user_id"), F("created_at").desc(), name="session_user_created"),)

    def __str__(self) -> str:
        return self.id
