"""The challenges of WebAuthn: 256 random bits, each for one purpose and one holder, good once and for five minutes.

A challenge is looked up by all of that, so that one of another account, session, login or purpose is as unknown as
one that was never handed out. The conditional DELETE is the decision: of any number of requests that show one
challenge at most one goes on (WebAuthn Level 3 section 13.4.3).
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from webauthn.helpers import bytes_to_base64url

from mfa.models import Ceremony

CHALLENGE_BYTES = 32
CEREMONY_SECONDS = 300
MOST_OPEN = 5


@dataclass(frozen=True)
class Holder:
    """Who may answer a challenge: an account in one pending login or session, for one purpose."""

    user_id: str
    purpose: Ceremony.Purpose
    bound_to: str


def open_ceremony(holder: Holder, *, now: datetime, user_handle: str = "") -> Ceremony:
    """Hand out a challenge. Of one holder the newest few stay open, so that a second tab does not end the first."""
    ceremony = Ceremony(
        user_id=holder.user_id,
        purpose=holder.purpose,
        bound_to=holder.bound_to,
        challenge=bytes_to_base64url(secrets.token_bytes(CHALLENGE_BYTES)),
        user_handle=user_handle,
        expires_at=now + timedelta(seconds=CEREMONY_SECONDS),
    )
    Ceremony.objects.filter(user_id=holder.user_id, expires_at__lte=now).delete()
    older = _of(holder).order_by("-expires_at", "-id").values_list("pk", flat=True)[MOST_OPEN - 1 :]
    Ceremony.objects.filter(pk__in=list(older)).delete()
    ceremony.save(force_insert=True)
    return ceremony


def find_ceremony(holder: Holder, challenge: str, *, now: datetime) -> Ceremony | None:
    """The open ceremony of a challenge that this holder was given."""
    return _of(holder).filter(challenge=challenge, expires_at__gt=now).first()


def handle_under_way(user_id: str, *, now: datetime) -> str:
    """The user handle of passkeys that an account is making now, in whatever session; empty where it makes none."""
    making = Ceremony.objects.filter(user_id=user_id, purpose=Ceremony.Purpose.BIND, expires_at__gt=now)
    return making.values_list("user_handle", flat=True).first() or ""


def spend_ceremony(ceremony: Ceremony) -> bool:
    """Use up a challenge: one conditional DELETE; False when it was shown before."""
    return bool(Ceremony.objects.filter(pk=ceremony.pk).delete()[0])


def prune(now: datetime) -> None:
    """Delete challenges that nobody answered."""
    Ceremony.objects.filter(expires_at__lte=now).delete()


def _of(holder: Holder) -> QuerySet[Ceremony]:
    return Ceremony.objects.filter(user_id=holder.user_id, purpose=holder.purpose, bound_to=holder.bound_to)
