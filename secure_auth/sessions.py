"""Sessions: one row is one completed login and one refresh-token family (RFC 9700 section 4.14).

Rotation is one conditional UPDATE on the generation, so of any number of requests with one refresh token at most one
advances it. A token of an older generation is reuse and ends the session, unless the same client asks for the same
successor again: it proves that by the Idempotency-Key that made the successor. So that no late double of a request ends
a session, the row remembers the keys of its last KEYS_REMEMBERED rotations. Session state is read from the database on
every request, never cached.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from secure_auth import digest_ring, keys, rows
from secure_auth.keys import OpenKey
from secure_auth.models import Key, Session, User
from secure_auth.tokens import refresh_jti

KEYS_REMEMBERED = 64  # as many as a minute's refreshes: a message late by a minute is known at any pace
# 32 bits of each: a match yields nothing, and the first miss ends the session.
KEY_MARK = 8
NO_KEY = "-" * KEY_MARK

ROTATE = """
UPDATE secure_auth_session
   SET generation = generation + 1, refresh_digest = %s, key_digest = %s,
       superseded_keys = substr(substr(key_digest || '{no_key}', 1, {mark}) || superseded_keys, 1, {length}),
       rotated_at = %s, last_seen_at = %s,
       idle_expires_at = CASE WHEN expires_at < %s THEN expires_at ELSE %s END
 WHERE id = %s AND generation = %s AND refresh_digest = %s
   AND revoked_at IS NULL AND idle_expires_at > %s AND expires_at > %s AND (%s = '' OR key_digest <> %s)
   AND {live_key}
RETURNING {told}, (SELECT role FROM secure_auth_user WHERE secure_auth_user.id = user_id) AS role,
       (SELECT must_change_password FROM secure_auth_user WHERE secure_auth_user.id = user_id) AS must_change_password
"""
# What the tokens of a session say, and nothing else: the rest of a row takes longer to read than to rotate it.
TOLD_OF_SESSION = (
    "id", "user_id", "generation", "auth_time", "amr", "rotated_at", "idle_expires_at", "expires_at",
)  # fmt: skip
TOLD_OF_USER = ("id", "role", "must_change_password")
FIND = """
SELECT {session}, {user} FROM secure_auth_session AS session
  JOIN secure_auth_user AS account ON account.id = session.user_id
 WHERE session.id = %s AND {live_key}
"""


class Verdict(Enum):
    """What presenting a refresh token means."""

    ROTATED = "rotated"
    REPLAYED = "replayed"  # the same successor once more: its answer was lost
    SUPERSEDED = "superseded"  # a late double of a request whose successor was used since: yields nothing
    KEY_REPEATED = "key_repeated"  # the Idempotency-Key of the previous refresh: a client's mistake
    REUSED = "reused"
    UNKNOWN = "unknown"  # of a generation that the database has lost: an older copy of it was put back
    ENDED = "ended"


@dataclass(frozen=True)
class Rotation:
    """The verdict and the session's row as it stands now; no row when the session is unknown."""

    verdict: Verdict
    session: Session | None


def open_session(
    user: User,
    *,
    amr: list[str],
    ip: str,
    user_agent: str,
    device_id: str,
    digest_key: OpenKey,
    now: datetime,
) -> Session:
    """A session for a login completed now, at generation 0, not stored yet; its refresh tokens keep the digest key."""
    session = Session(
        user=user,
        created_at=now,
        auth_time=now,
        amr=" ".join(amr),
        rotated_at=now,
        last_seen_at=now,
        idle_expires_at=now + timedelta(seconds=settings.SESSION_IDLE_SECONDS),
        expires_at=now + timedelta(seconds=settings.SESSION_LIFETIME_SECONDS),
        ip=ip,
        user_agent=user_agent,
        device_id=device_id,
    )
    session.refresh_digest = _jti_digest(session.id, 0, digest_key)
    return session


def _jti_digest(session_id: str, generation: int, digest_key: OpenKey) -> str:
    return hashlib.sha256(refresh_jti(session_id, generation, digest_key).encode()).hexdigest()


def find_digest_key(jti: str, session_id: str, generation: int) -> OpenKey | None:
    """The digest key that made the jti of a session's generation; None when no live one did.

    Raises:
        TypeError: the jti is not ASCII.
    """
    for key in digest_ring.live_keys():
        if hmac.compare_digest(jti, refresh_jti(session_id, generation, key)):
            return key
    return None


def _key_digest(idempotency_key: str, digest_key: OpenKey) -> str:
    """What is kept of an Idempotency-Key; empty for none."""
    return keys.digest_with(digest_key, "idempotency", idempotency_key) if idempotency_key else ""


def rotate_session(
    session_id: str, *, generation: int, kid: str, digest_key: OpenKey, idempotency_key: str, now: datetime
) -> Rotation:
    """Advance a session by one generation, or say why not. Inside the caller's transaction.

    Reuse ends the session here; the caller records it. `kid` names the key that signed the token: one that is gone
    proves nothing, so its token neither rotates nor counts as reuse. `digest_key` is the one that made its jti.
    """
    statement = rotation_statement(
        session_id,
        generation=generation,
        kid=kid,
        digest_key=digest_key,
        idempotency_key=idempotency_key,
        now=now,
    )
    row = rows.fetch_values(*statement)
    if row is not None:
        return as_rotated(row)
    if not keys.is_live(kid):
        keys.distrust_ring(Key.Purpose.SIGNING)  # else this process goes on signing what is dead
        return Rotation(Verdict.ENDED, None)
    key = _key_digest(idempotency_key, digest_key)
    return _judge(session_id, generation=generation, digest_key=digest_key, key=key, now=now)


def rotation_statement(
    session_id: str, *, generation: int, kid: str, digest_key: OpenKey, idempotency_key: str, now: datetime
) -> tuple[str, list[Any]]:
    """The conditional UPDATE that advances a session by one generation, and its values: it answers a row, or none."""
    key = _key_digest(idempotency_key, digest_key)
    idle = now + timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    values = [_jti_digest(session_id, generation + 1, digest_key), key, now, now, idle, idle]
    shown = _jti_digest(session_id, generation, digest_key)
    condition = [session_id, generation, shown, now, now, key, key, kid]
    return _rotate_statement(), [*values, *condition]


def as_rotated(row: Sequence[Any]) -> Rotation:
    """The rotation that a row of rotation_statement means."""
    of_session, of_user = row[: len(TOLD_OF_SESSION)], row[len(TOLD_OF_SESSION) :]
    session = rows.as_part(Session, TOLD_OF_SESSION, of_session)
    session.user = rows.as_part(User, TOLD_OF_USER, (session.user_id, *of_user))
    return Rotation(Verdict.ROTATED, session)


@cache
def _rotate_statement() -> str:
    length = KEYS_REMEMBERED * KEY_MARK
    return ROTATE.format(
        told=", ".join(TOLD_OF_SESSION), no_key=NO_KEY, mark=KEY_MARK, length=length, live_key=keys.LIVE
    )


def _judge(session_id: str, *, generation: int, digest_key: OpenKey, key: str, now: datetime) -> Rotation:
    """Why nothing was rotated; the row is locked, so that the verdict and its consequence are one."""
    locked = Session.objects.select_related("user").select_for_update(of=("self",))
    session = locked.filter(pk=session_id).first()
    verdict = _verdict(session, generation=generation, digest_key=digest_key, key=key, now=now)
    if session and verdict.verdict in (Verdict.REUSED, Verdict.UNKNOWN):
        # also of an unknown one: what the row takes as its newest token was used before
        end_session(session, reason="reuse" if verdict.verdict is Verdict.REUSED else "unknown", now=now)
    elif verdict.verdict is Verdict.REPLAYED:
        # signed once more, perhaps by a later key: who ends the sessions of a key must find this one
        Session.objects.filter(pk=session_id, last_seen_at__lt=now).update(last_seen_at=now)
    return verdict


def is_reused(
    session_id: str, *, generation: int, kid: str, digest_key: OpenKey, idempotency_key: str, now: datetime
) -> bool:
    """Whether presenting this refresh token would end its session now. Nothing is locked or changed."""
    session = find_session(session_id, kid=kid)
    if session is None or session.generation == generation:
        return False
    key = _key_digest(idempotency_key, digest_key)
    verdict = _verdict(session, generation=generation, digest_key=digest_key, key=key, now=now)
    return verdict.verdict is Verdict.REUSED


def _verdict(
    session: Session | None, *, generation: int, digest_key: OpenKey, key: str, now: datetime
) -> Rotation:
    if session is None or not is_live(session, now):
        return Rotation(Verdict.ENDED, session)
    if not _keeps(session, digest_key):
        return Rotation(Verdict.ENDED, None)
    behind = session.generation - generation
    if behind < 0:
        return Rotation(Verdict.UNKNOWN, session)
    if behind == 0 and key and key == session.key_digest:
        return Rotation(Verdict.KEY_REPEATED, session)
    if behind == 1 and _asks_again(session, key, now):
        return Rotation(Verdict.REPLAYED, session)
    if behind >= 2 and key and key[:KEY_MARK] == _superseded_key(session, behind):
        return Rotation(Verdict.SUPERSEDED, session)
    return Rotation(Verdict.REUSED, session)


def _keeps(session: Session, digest_key: OpenKey) -> bool:
    """Whether this is the digest key of a session's tokens: who holds another one alone must not raise an alarm.

    A session of the pages has no refresh token by which that could be told.
    """
    own = _jti_digest(session.id, session.generation, digest_key)
    return session.refresh_digest in ("", own)


def _asks_again(session: Session, key: str, now: datetime) -> bool:
    if key or session.key_digest:
        return key == session.key_digest
    # `now` may lie before the rotation that won the race: without a grace that is reuse all the same
    grace = settings.REFRESH_GRACE_SECONDS
    return grace > 0 and now - session.rotated_at < timedelta(seconds=grace)


def _superseded_key(session: Session, behind: int) -> str:
    """What is remembered of the key that made the successor of a generation so far behind; empty when forgotten."""
    begin = (behind - 2) * KEY_MARK
    return session.superseded_keys[begin : begin + KEY_MARK]


def is_live(session: Session, now: datetime) -> bool:
    """Neither revoked nor idle too long nor too old."""
    return session.revoked_at is None and now < session.idle_expires_at and now < session.expires_at


def live_sessions(user_id: str, now: datetime) -> QuerySet[Session]:
    """An account's live sessions, newest first."""
    own = Session.objects.filter(
        user_id=user_id, revoked_at=None, idle_expires_at__gt=now, expires_at__gt=now
    )
    return own.order_by("-created_at")


def find_session(session_id: str, *, kid: str) -> Session | None:
    """A session with its user, live or not; one statement. None as well when the key that named it is gone.

    The key's state is read here, from the database: a compromised key is dead on every node at the same moment.
    """
    found = rows.fetch_pair(Session, User, _find_statement(), [session_id, kid])
    if found is None:
        keys.distrust_ring(Key.Purpose.SIGNING)
        return None
    session, user = found
    session.user = user
    return session


@cache
def _find_statement() -> str:
    session, user = rows.columns(Session, "session"), rows.columns(User, "account")
    return FIND.format(session=session, user=user, live_key=keys.LIVE)


def end_session(session: Session, *, reason: str, now: datetime) -> bool:
    """End one session; False when it had ended before."""
    live = Session.objects.filter(pk=session.pk, revoked_at=None)
    session.revoked_at = now
    return bool(live.update(revoked_at=now, revoke_reason=reason))


def end_sessions(user_id: str, *, reason: str, now: datetime, keep: str = "") -> list[str]:
    """End all sessions of an account but `keep`; the ids of those that were live until now.

    Idle and old ones too: to a node whose clock is behind they are live, and a refresh might keep one alive.
    """
    own = Session.objects.filter(user_id=user_id, revoked_at=None).exclude(pk=keep)
    found = {session.id: session.expires_at for session in own.order_by("pk").select_for_update()}
    if found:
        Session.objects.filter(pk__in=found).update(revoked_at=now, revoke_reason=reason)
    return [id_ for id_, expires_at in found.items() if expires_at > now]
