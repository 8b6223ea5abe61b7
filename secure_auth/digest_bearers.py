"""What bears a digest key: rows whose tokens, codes, secrets and seals only that key can tell.

Rows with a key id are asked for it. Sessions and familiar sources have none: those of a retired key are older than its
retirement. A node whose copy of the ring is old makes a few with it for a little longer, so the time is taken wider.
What the oldest key tells of addresses (decoys, erasures under way) bears the oldest one.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet

from mfa.models import Passkey, RecoveryCode
from secure_auth import decoys, devices, familiar, relying_party
from secure_auth.browsers import FORM_SECONDS
from secure_auth.models import Client, Key, KnownDevice, MailToken, Session, User
from secure_auth.tokens import CLOCK_SKEW_SECONDS


def is_borne(key: Key, now: datetime) -> bool:
    """Whether a retired digest key is still needed; once it is not, it never is again.

    For a day it is in any case: forms that stand open in browsers, and logins under way, are in no table.
    """
    stale = timedelta(seconds=settings.KEY_CACHE_SECONDS + CLOCK_SKEW_SECONDS)
    last_use = (key.retired_at or now) + stale
    if last_use + timedelta(seconds=FORM_SECONDS) > now:
        return True
    alive = now - stale
    return (
        _codes_of(key.kid).exists()  # first: for years it is what answers, and at once
        or _sessions_before(last_use, alive).exists()
        or _devices_of(key.kid, alive).exists()
        or familiar.has_seen_before(last_use, now=alive)
        or _mail_tokens_of(key.kid, alive).exists()
        or _clients_of(key.kid).exists()
        or relying_party.has_sealed(key.kid)
        or (_is_oldest(key.kid) and (decoys.are_needed() or _begun_erasures().exists()))
    )


def count_borne(kid: str, now: datetime) -> int:
    """How many rows bear the id of a digest key and count."""
    passkeys = Passkey.objects.filter(key_id=kid)
    rows: list[QuerySet[Any]] = [
        *(_devices_of(kid, now), _mail_tokens_of(kid, now)),
        *(_clients_of(kid), passkeys, _codes_of(kid)),
    ]
    return sum(each.count() for each in rows)


def _sessions_before(moment: datetime, alive: datetime) -> QuerySet[Session]:
    return Session.objects.filter(
        created_at__lte=moment, revoked_at=None, idle_expires_at__gt=alive, expires_at__gt=alive
    )


def _devices_of(kid: str, alive: datetime) -> QuerySet[KnownDevice]:
    return devices.live_devices(alive).filter(Q(key_id=kid) | Q(key_before=kid))


def _mail_tokens_of(kid: str, alive: datetime) -> QuerySet[MailToken]:
    return MailToken.objects.filter(key_id=kid, used_at=None, expires_at__gt=alive)


def _clients_of(kid: str) -> QuerySet[Client]:
    return Client.objects.filter(key_id=kid, revoked_at=None)


def _codes_of(kid: str) -> QuerySet[RecoveryCode]:
    """Codes that are older than the column of the key's id were made by the first key."""
    own = Q(key_id=kid) | Q(key_id="") if _is_oldest(kid) else Q(key_id=kid)
    return RecoveryCode.objects.filter(own, used_at=None)


def _begun_erasures() -> QuerySet[User]:
    """Accounts that an erasure left half-way: the next finds them by the opaque id of the address."""
    erased, deleted = (Q(email_key__startswith=mark) for mark in User.GONE)
    return User.objects.filter(erased | deleted)


def _is_oldest(kid: str) -> bool:
    used = Key.objects.filter(purpose=Key.Purpose.DIGEST).exclude(state__in=(Key.State.GONE, Key.State.NEXT))
    in_order = used.order_by(F("activated_at").asc(nulls_first=True), "created_at")
    return in_order.values_list("kid", flat=True).first() == kid
