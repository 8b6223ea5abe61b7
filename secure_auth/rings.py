"""The life of keys: next → active → retired → gone (NIST SP 800-57 part 1 section 8).

The next key is published before its first use: every node and every service that keeps the JWKS knows it when the first
token bears it, so that a rotation fails no request. A retired key verifies until its last token is dead. A compromised
one is gone at once: its state is read from the database with every token, and the sessions whose tokens it signed end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason, Severity, Source
from secure_auth import keys
from secure_auth.administration import Refused
from secure_auth.models import Key, PendingLogin, Session
from secure_auth.tokens import CLOCK_SKEW_SECONDS

ROTATED_BY_COMMAND = (Key.Purpose.SIGNING, Key.Purpose.ENCRYPTION, Key.Purpose.AUDIT)
BATCH = 500
Keys = dict[str, Key]


@dataclass(frozen=True)
class Rotated:
    """The ring as it stands after a rotation: the ids of its active and its next key."""

    active: str
    next: str


def rotate(*, purpose: str, source: Source) -> Rotated:
    """Make the next key of a ring the active one, the active one retired, and a new next key.

    Raises:
        Refused: somebody may still hold a JWKS without the next key.
    """
    now = timezone.now()
    with transaction.atomic():
        ring = _lock(purpose)
        wait = settings.JWKS_MAX_AGE_SECONDS - (now - ring[Key.State.NEXT].created_at).total_seconds()
        if wait > 0:
            raise Refused(
                f"the next {purpose} key is too young: others may hold a key set without it; wait {int(wait) + 1} "
                "seconds, or name a compromised key with --compromised"
            )
        return _promote(ring, reason=Reason.ROTATION, now=now, source=source)


def compromise(*, kid: str, source: Source) -> tuple[Rotated, int]:
    """Kill a signing key and every token that it signed, now; how many live sessions ended with it.

    Raises:
        Refused: no signing key has this id, or it is gone already.
    """
    now = timezone.now()
    with transaction.atomic():
        ring = _lock(Key.Purpose.SIGNING)
        key = next((one for one in ring.values() if one.kid == kid), None)
        if key is None:
            key = Key.objects.filter(kid=kid, purpose=Key.Purpose.SIGNING, state=Key.State.RETIRED).first()
        if key is None:
            raise Refused("no live signing key has this id")
        rotated = _replace(ring, key, now=now, source=source)
        ended = _end_sessions_of(key, now=now, source=source)
        _destroy(key, Reason.COMPROMISED, now=now, source=source, ended=ended)
    keys.distrust_ring(Key.Purpose.SIGNING)
    return rotated, ended


def destroy_outlived() -> int:
    """Destroy retired signing keys whose last token is dead; how many. For the worker."""
    now = timezone.now()
    longest = max(
        settings.PARTIAL_TOKEN_SECONDS, settings.ACCESS_TOKEN_SECONDS, settings.SESSION_IDLE_SECONDS
    )
    slack = settings.KEY_CACHE_SECONDS + CLOCK_SKEW_SECONDS
    outlived = Key.objects.filter(
        purpose=Key.Purpose.SIGNING,
        state=Key.State.RETIRED,
        retired_at__lt=now - timedelta(seconds=longest + slack),
    )
    with transaction.atomic():
        found = list(outlived.select_for_update())
        for key in found:
            _destroy(key, Reason.EXPIRED, now=now, source=SYSTEM)
    return len(found)


def _lock(purpose: str) -> Keys:
    """The active and the next key by state, locked: of two rotations one goes first."""
    locked = Key.objects.select_for_update().filter(
        purpose=purpose, state__in=(Key.State.ACTIVE, Key.State.NEXT)
    )
    return {key.state: key for key in locked.order_by("state")}


def _promote(ring: Keys, *, reason: Reason, now: datetime, source: Source) -> Rotated:
    old, new = ring[Key.State.ACTIVE], ring[Key.State.NEXT]
    old.state, old.retired_at = Key.State.RETIRED, now
    old.save(update_fields=["state", "retired_at"])
    new.state, new.activated_at = Key.State.ACTIVE, now
    new.save(update_fields=["state", "activated_at"])
    append(_event(EventType.KEY_ROTATE, new, reason, source))
    return Rotated(new.kid, _create_next(new.purpose, source))


def _create_next(purpose: str, source: Source) -> str:
    created = keys.create_key(purpose, Key.State.NEXT)
    append(_event(EventType.KEY_CREATE, created, Reason.ROTATION, source))
    return created.kid


def _replace(ring: Keys, key: Key, *, now: datetime, source: Source) -> Rotated:
    """Take a compromised key out of use; its age does not matter now."""
    if key.state == Key.State.ACTIVE:
        return _promote(ring, reason=Reason.COMPROMISED, now=now, source=source)
    if key.state == Key.State.NEXT:
        key.state = Key.State.RETIRED
        key.save(update_fields=["state"])
        return Rotated(ring[Key.State.ACTIVE].kid, _create_next(key.purpose, source))
    return Rotated(ring[Key.State.ACTIVE].kid, ring[Key.State.NEXT].kid)


def _destroy(key: Key, reason: Reason, *, now: datetime, source: Source, ended: int | None = None) -> None:
    key.state, key.gone_at, key.sealed = Key.State.GONE, now, b""
    key.save(update_fields=["state", "gone_at", "sealed"])
    append(_event(EventType.KEY_DESTROY, key, reason, source, ended=ended))


def _end_sessions_of(key: Key, *, now: datetime, source: Source) -> int:
    """End what the key's tokens open: sessions that were last refreshed, and logins that began, while it signed.

    Nodes that had not read the ring yet signed with the old key for a while, so the time is taken that much wider.
    """
    if key.activated_at is None:
        return 0
    slack = timedelta(seconds=settings.KEY_CACHE_SECONDS)
    began, ended = key.activated_at - slack, (key.retired_at or now) + slack
    PendingLogin.objects.filter(created_at__range=(began, ended), ended_at=None).update(ended_at=now)
    touched = Session.objects.filter(
        rotated_at__range=(began, ended), revoked_at=None, idle_expires_at__gt=now, expires_at__gt=now
    )
    found = list(touched.order_by("pk").select_for_update().values_list("pk", "user_id"))
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        rows = Session.objects.filter(pk__in=[session_id for session_id, _ in batch])
        rows.update(revoked_at=now, revoke_reason="key_compromised")
        append(*(_revocation(session_id, user_id, source) for session_id, user_id in batch))
    return len(found)


def _revocation(session_id: str, user_id: str, source: Source) -> NewEvent:
    return NewEvent(
        type=EventType.SESSION_REVOKE,
        outcome=Outcome.SUCCESS,
        reason=Reason.KEY_COMPROMISED,
        source=source,
        user=user_id,
        session=session_id,
    )


def _event(
    kind: EventType, key: Key, reason: Reason, source: Source, *, ended: int | None = None
) -> NewEvent:
    details = {"key_id": key.kid, "purpose": key.purpose} | ({} if ended is None else {"sessions": ended})
    severity = Severity.HIGH if reason is Reason.COMPROMISED else None
    return NewEvent(
        type=kind,
        outcome=Outcome.SUCCESS,
        reason=reason,
        severity=severity,
        source=source,
        details=details,
    )
