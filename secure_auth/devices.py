"""Known devices: a lane of the limits for people who completed a login there before (OWASP device cookies).

The token is the row's id and a keyed digest; it opens no door, skips no step and dies on reset, reset_mfa, disabling
and too many failures. Each login that asks to be remembered rotates it. An account has MOST_DEVICES at most.
"""

import hmac
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from secure_auth import familiar, keys, rows
from secure_auth.models import KnownDevice, PendingLogin, Session, User, is_id

MOST_DEVICES = 20
ROTATE = """
UPDATE secure_auth_knowndevice
   SET generation = generation + 1, key_before = key_id, key_id = %s,
       user_agent = %s, last_used_at = %s, expires_at = %s
 WHERE id = %s AND user_id = %s AND revoked_at IS NULL AND expires_at > %s
RETURNING {columns}
"""
# Of the other live devices, newest first, the one that a new device leaves no place for.
ONE_TOO_MANY = f"""
(SELECT other.id FROM secure_auth_knowndevice AS other
  WHERE other.user_id = secure_auth_knowndevice.user_id AND other.id <> secure_auth_knowndevice.id
    AND other.revoked_at IS NULL AND other.expires_at > secure_auth_knowndevice.created_at
  ORDER BY other.last_used_at DESC, other.id DESC LIMIT 1 OFFSET {MOST_DEVICES - 1})
"""  # noqa: S608 a constant


class Remembered(NamedTuple):
    """A device that is known from now on, its token, shown once, and the id of one that was forgotten in its favour."""

    id: str
    token: str
    forgotten: str


def remember_device(user: User, *, known_id: str, user_agent: str, now: datetime) -> Remembered:
    """Know a device from now on. Under the account's lock: two at a time would both find a place.

    A device that is known already (`known_id`) keeps its id and its failures, and gets its next token.
    """
    forgotten = ""
    expires_at = now + timedelta(seconds=settings.DEVICE_SECONDS)
    device = None
    if known_id:
        values = [keys.digest_kid(), user_agent, now, expires_at, known_id, user.pk, now]
        device = rows.fetch_row(KnownDevice, ROTATE.format(columns=rows.columns(KnownDevice)), values)
    if device is None:
        device = KnownDevice(
            user=user,
            key_id=keys.digest_kid(),
            user_agent=user_agent,
            created_at=now,
            last_used_at=now,
            expires_at=expires_at,
        )
        forgotten = rows.insert_row(device, returning=ONE_TOO_MANY) or ""
        if forgotten:
            forget_devices(user.pk, device_id=forgotten, now=now)
    return Remembered(device.id, derive_token(device.id, device.key_id, device.generation), forgotten)


def ids_of(user: User) -> list[str]:
    """The live devices of an account."""
    return list(live_devices(timezone.now()).filter(user=user).values_list("pk", flat=True))


def derive_token(device_id: str, key_id: str, generation: int) -> str:
    """The token of a device's generation."""
    return f"{device_id}.{keys.digest('device', device_id, str(generation), kid=key_id)[:43]}"


def identify_device(token: str, *, email_key: str, now: datetime) -> KnownDevice | None:
    """The live device of this account that a token names, with the account; None for anything else."""
    device_id = token.partition(".")[0]
    if not token.isascii() or not is_id(device_id):
        return None
    found = live_devices(now).filter(pk=device_id, user__email_key=email_key)
    device = found.select_related("user").first()
    return device if device and _is_token_of(device, token) else None


def _is_token_of(device: KnownDevice, token: str) -> bool:
    """Whether this is the last token or the one before it: the answer that carried the last one may be lost."""
    last = (device.key_id, device.generation)
    before = (device.key_before or device.key_id, max(0, device.generation - 1))
    tokens = [derive_token(device.id, kid, generation) for kid, generation in (last, before)]
    return any(hmac.compare_digest(one, token) for one in tokens)


def lane_of(session: Session, *, now: datetime) -> str | None:
    """The id of the known device that a session was opened from, as long as it is one."""
    known = session.device_id and live_devices(now).filter(pk=session.device_id).exists()
    return session.device_id if known else None


def live_devices(now: datetime) -> QuerySet[KnownDevice]:
    """Devices that are neither forgotten nor too old."""
    return KnownDevice.objects.filter(revoked_at=None, expires_at__gt=now)


def forget_devices(user_id: str, *, now: datetime, device_id: str = "") -> list[str]:
    """Forget all devices and sources of an account, or one device; the ids of those that were known until now.

    Logins under way leave their lanes.
    """
    devices = KnownDevice.objects.filter(user_id=user_id, revoked_at=None)
    logins = PendingLogin.objects.filter(user_id=user_id, ended_at=None).exclude(device_id="")
    if device_id:
        devices, logins = devices.filter(pk=device_id), logins.filter(device_id=device_id)
    else:
        familiar.forget_sources(user_id)
    logins.update(device_id="")
    known = {device.id: device.expires_at for device in devices.order_by("pk").select_for_update()}
    KnownDevice.objects.filter(pk__in=known).update(revoked_at=now)
    return [id_ for id_, expires_at in known.items() if expires_at > now]
