"""Known devices: a lane of the limits for people who completed a login there before (OWASP device cookies).

The token is the row's id and a keyed digest; it opens no door, skips no step and dies on reset, reset_mfa, disabling
and too many failures.
"""

import hmac
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from secure_auth import keys
from secure_auth.models import KnownDevice, Session, User


def remember_device(user: User, *, user_agent: str, now: datetime) -> tuple[KnownDevice, str]:
    """A new known device and its token, shown once."""
    device = KnownDevice.objects.create(
        user=user,
        key_id=keys.digest_kid(),
        user_agent=user_agent,
        last_used_at=now,
        expires_at=now + timedelta(seconds=settings.DEVICE_SECONDS),
    )
    return device, derive_token(device.id, device.key_id)


def derive_token(device_id: str, key_id: str) -> str:
    """The token of a device."""
    return f"{device_id}.{keys.digest('device', device_id, kid=key_id)[:43]}"


def identify_device(token: str, *, email_key: str, now: datetime) -> KnownDevice | None:
    """The live device of this account that a token names, with the account; None for anything else."""
    device_id = token.partition(".")[0]
    if not token.isascii() or len(device_id) != 36:
        return None
    found = live_devices(now).filter(pk=device_id, user__email_key=email_key)
    device = found.select_related("user").first()
    if device is None or not hmac.compare_digest(derive_token(device.id, device.key_id), token):
        return None
    return device


def lane_of(session: Session, *, now: datetime) -> str | None:
    """The id of the known device that a session was opened from, as long as it is one."""
    known = session.device_id and live_devices(now).filter(pk=session.device_id).exists()
    return session.device_id if known else None


def live_devices(now: datetime) -> QuerySet[KnownDevice]:
    """Devices that are neither forgotten nor too old."""
    return KnownDevice.objects.filter(revoked_at=None, expires_at__gt=now)


def forget_devices(user_id: str, *, now: datetime, device_id: str = "") -> int:
    """Forget all devices of an account, or one of them; how many were live."""
    devices = KnownDevice.objects.filter(user_id=user_id, revoked_at=None)
    if device_id:
        devices = devices.filter(pk=device_id)
    return devices.update(revoked_at=now)
