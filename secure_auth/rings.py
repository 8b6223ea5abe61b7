"""The life of keys: next → active → retired → gone (NIST SP 800-57 part 1 section 8).

The next key is published before its first use: every node and every service that keeps the JWKS knows it when the first
token bears it, so that a rotation fails no request. A retired key verifies until its last token is dead, or opens what
it sealed until all of that is sealed anew (`resealing.py`), or tells its digests until nothing bears one of them
(`digest_bearers.py`). A compromised one is gone at once: its state is read from
the database with every token, and the sessions whose tokens it signed end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit import clocks
from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason, Severity, Source
from secure_auth import digest_bearers, factors, keys
from secure_auth.acting import Refused
from secure_auth.models import Key, Session
from secure_auth.tokens import CLOCK_SKEW_SECONDS

BATCH = 500
Keys = dict[str, Key]
Counts = Mapping[str, int]
NONE: Counts = {}


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
    now = clocks.earlier_now()
    with transaction.atomic():
        ring = _lock(purpose)
        wait = settings.JWKS_MAX_AGE_SECONDS - (now - ring[Key.State.NEXT].created_at).total_seconds()
        if wait > 0:
            otherwise = (
                ", or name a compromised key with --compromised" if purpose == Key.Purpose.SIGNING else ""
            )
            raise Refused(
                f"the next {purpose} key is too young: others may hold a key set without it; wait {int(wait) + 1} "
                f"seconds{otherwise}"
            )
        return _promote(ring, reason=Reason.ROTATION, now=now, source=source)


def compromise(*, kid: str, source: Source) -> tuple[Rotated, int]:
    """Kill a signing key and every token that it signed, now; how many live sessions ended with it.

    The key is gone with the first commit, whatever becomes of the rest: a crash while sessions are ended leaves
    sessions whose tokens open nothing. The next run for the same key ends those.

    Raises:
        Refused: no signing key has this id, or it is gone already and its sessions too.
    """
    now = clocks.earlier_now()
    with transaction.atomic():
        ring = _lock(Key.Purpose.SIGNING)
        key = Key.objects.filter(kid=kid, purpose=Key.Purpose.SIGNING).first()
        touched = list(_sessions_of(key, now).values_list("pk", "user_id")) if key else []
        if key is None or (key.state == Key.State.GONE and not touched):
            raise Refused("no live signing key has this id")
        rotated = _replace(ring, key, now=now, source=source)
        if key.state != Key.State.GONE:
            counts = {"sessions": len(touched)}
            destroy(key, Reason.COMPROMISED, now=clocks.later_now(), source=source, counts=counts)
    keys.distrust_ring(Key.Purpose.SIGNING)
    _end(touched, now=now, source=source)
    return rotated, len(touched)


def destroy_outlived() -> int:
    """Destroy retired signing keys whose last token is dead; how many. For the worker."""
    now = clocks.earlier_now()
    keys.note_token_seconds()
    retired = Key.objects.filter(
        purpose=Key.Purpose.SIGNING, state=Key.State.RETIRED, retired_at__isnull=False
    )
    with transaction.atomic():
        outlived = [key for key in retired.select_for_update() if _last_token_dies(key) < now]
        for key in outlived:
            destroy(key, Reason.EXPIRED, now=now, source=SYSTEM)
    return len(outlived)


def destroy_unborne() -> int:
    """Destroy retired digest keys that nothing bears any more; how many. For the worker."""
    now = clocks.earlier_now()
    retired = Key.objects.filter(purpose=Key.Purpose.DIGEST, state=Key.State.RETIRED)
    unborne = [key.kid for key in retired if not digest_bearers.is_borne(key, now)]
    if not unborne:
        return 0
    with transaction.atomic():
        locked = list(retired.select_for_update().filter(kid__in=unborne))
        for key in locked:
            destroy(key, Reason.EXPIRED, now=now, source=SYSTEM)
    return len(locked)


def _last_token_dies(key: Key) -> datetime:
    """By the lifetimes under which it signed, which may have been longer than today's."""
    seconds = max(key.token_seconds, keys.token_seconds()) + settings.KEY_CACHE_SECONDS + CLOCK_SKEW_SECONDS
    return (key.retired_at or timezone.now()) + timedelta(seconds=seconds)


def _lock(purpose: str) -> Keys:
    """The active and the next key by state; of two rotations one goes first.

    Who waited for the locks reads again: a key that the other one made was not there to be locked.
    """
    ring = Key.objects.filter(purpose=purpose)
    list(ring.select_for_update().order_by("kid").values_list("kid"))
    return {key.state: key for key in ring.filter(state__in=(Key.State.ACTIVE, Key.State.NEXT))}


def _promote(ring: Keys, *, reason: Reason, now: datetime, source: Source) -> Rotated:
    old, new = ring[Key.State.ACTIVE], ring[Key.State.NEXT]
    old.state, old.retired_at = Key.State.RETIRED, clocks.later_now()
    old.save(update_fields=["state", "retired_at"])
    new.state, new.activated_at = Key.State.ACTIVE, now
    new.save(update_fields=["state", "activated_at"])
    append(event(EventType.KEY_ROTATE, new, reason, source, _count_bearers(old, now)))
    return Rotated(new.kid, _create_next(new, source))


def _count_bearers(old: Key, now: datetime) -> Counts:
    """How many secrets bear the id of the key that has just retired."""
    match old.purpose:
        case Key.Purpose.ENCRYPTION:
            return {"secrets": factors.count_sealed([old.kid])}
        case Key.Purpose.DIGEST:
            return {"secrets": digest_bearers.count_borne(old.kid, now)}
    return NONE


def _create_next(before: Key, source: Source) -> str:
    """Its tokens live at least as long as those of the key before it: the nodes that sign have not changed."""
    created = keys.create_key(before.purpose, Key.State.NEXT, token_seconds=before.token_seconds)
    # by a clock that is behind it would be old enough to sign before others have it
    Key.objects.filter(pk=created.pk).update(created_at=clocks.later_now())
    append(event(EventType.KEY_CREATE, created, Reason.ROTATION, source))
    return created.kid


def _replace(ring: Keys, key: Key, *, now: datetime, source: Source) -> Rotated:
    """Take a compromised key out of use; its age does not matter now."""
    if key.state == Key.State.ACTIVE:
        return _promote(ring, reason=Reason.COMPROMISED, now=now, source=source)
    if key.state == Key.State.NEXT:
        key.state = Key.State.RETIRED
        key.save(update_fields=["state"])
        return Rotated(ring[Key.State.ACTIVE].kid, _create_next(ring[Key.State.ACTIVE], source))
    return Rotated(ring[Key.State.ACTIVE].kid, ring[Key.State.NEXT].kid)


def destroy(key: Key, reason: Reason, *, now: datetime, source: Source, counts: Counts = NONE) -> None:
    """Delete the secret of a key whose row is locked; its id and public half stay."""
    key.state, key.gone_at, key.sealed = Key.State.GONE, now, b""
    key.save(update_fields=["state", "gone_at", "sealed"])
    append(event(EventType.KEY_DESTROY, key, reason, source, counts))


def _sessions_of(key: Key, now: datetime) -> QuerySet[Session]:
    """The live sessions whose refresh token the key signed: those that were last refreshed while it was active, or
    whose last refresh was answered again then (the pages note their use in the same place, and have no token).

    Nodes that had not read the ring yet signed with the old key for a while, so the time is taken that much wider;
    where it is active still, no clock says its end. Who forges with the key alone takes over no session: a refresh
    token's jti needs the digest ring too.
    """
    if key.activated_at is None:
        return Session.objects.none()
    slack = timedelta(seconds=settings.KEY_CACHE_SECONDS)
    ends = [key.retired_at + slack if key.retired_at else None, key.gone_at]
    live = Session.objects.filter(revoked_at=None, idle_expires_at__gt=now, expires_at__gt=now)
    begin = key.activated_at - slack
    signed = live.filter(Q(rotated_at__gte=begin) | Q(last_seen_at__gte=begin, web_digest=""))
    return signed.filter(rotated_at__lte=min(filter(None, ends))) if any(ends) else signed


def _end(touched: list[tuple[str, str]], *, now: datetime, source: Source) -> None:
    """End sessions, each batch with its events in one transaction, so that none is locked for long."""
    for start in range(0, len(touched), BATCH):
        batch = dict(touched[start : start + BATCH])
        with transaction.atomic():
            live = Session.objects.select_for_update().filter(pk__in=batch, revoked_at=None).order_by("pk")
            ids = list(live.values_list("pk", flat=True))
            Session.objects.filter(pk__in=ids).update(revoked_at=now, revoke_reason="key_compromised")
            append(*(_revocation(session_id, batch[session_id], source) for session_id in ids))


def _revocation(session_id: str, user_id: str, source: Source) -> NewEvent:
    return NewEvent(
        type=EventType.SESSION_REVOKE,
        outcome=Outcome.SUCCESS,
        reason=Reason.KEY_COMPROMISED,
        source=source,
        user=user_id,
        session=session_id,
    )


def event(
    kind: EventType,
    key: Key,
    reason: Reason,
    source: Source,
    counts: Counts = NONE,
    *,
    outcome: Outcome = Outcome.SUCCESS,
) -> NewEvent:
    """What became of a key, and of how many `sessions` or `secrets` with it."""
    return NewEvent(
        type=kind,
        outcome=outcome,
        reason=reason,
        severity=Severity.HIGH if reason in (Reason.COMPROMISED, Reason.UNREADABLE) else None,
        source=source,
        details={"key_id": key.kid, "purpose": key.purpose, **counts},
    )
