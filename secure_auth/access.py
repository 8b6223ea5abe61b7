"""What the holder of a token may do with it: authenticate a request, refresh, log out, see and end sessions."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append, append_with
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    agents,
    devices,
    factors,
    letters,
    metrics,
    outbox,
    pending,
    refusals,
    sessions,
    tokens,
)
from secure_auth.errors import Code, Problem, invalid_token, validation_failed
from secure_auth.models import Session, User
from secure_auth.sessions import Rotation, Verdict
from secure_auth.tokens import AccessToken, InvalidToken, RefreshToken, TokenPair
from throttling import lockout

IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)


@dataclass(frozen=True)
class Signed:
    """Whose request this is: an account, its session, and when and how strongly its token says that it signed in."""

    user: User
    session: Session
    auth_time: int  # Unix seconds, of the last second factor
    acr: str
    amr: tuple[str, ...]  # of that second factor


def authenticate_access(encoded: str, *, source: Source) -> Signed:
    """Verify an access token and read its session: one statement.

    Raises:
        Problem: invalid_token. A token of an ended session is recorded once a window; a forged one is only counted.
    """
    try:
        claims = AccessToken.read(encoded)
    except InvalidToken as error:
        metrics.count_refused_token(error.fault)
        raise invalid_token() from error
    session = sessions.find_session(str(claims.get("sid", "")), kid=claims["kid"])
    if session is None or session.user_id != claims["sub"]:
        raise _forgotten()
    if not is_open(session, claims["sub"], timezone.now()):
        raise session_ended(session, source)
    return Signed(session.user, session, claims["auth_time"], claims["acr"], tuple(claims["amr"]))


def verify_access(encoded: str, *, source: Source) -> None:
    """Verify an access token for somebody else, who would open doors to it.

    Raises:
        Problem: invalid_token, also where the account must change its password first.
    """
    signed = authenticate_access(encoded, source=source)
    if signed.user.must_change_password:
        reason = Reason.PASSWORD_CHANGE_REQUIRED
        restricted = _refused(reason, source=source, user=signed.user.pk, session=signed.session.id)
        refusals.record_collapsed(restricted, key=signed.session.id)
        raise invalid_token()


def session_ended(session: Session, source: Source) -> Problem:
    """Record, once a window, that a token of an ended session came, and give the problem to raise."""
    metrics.count_refused_token("session_ended")
    event = _refused(Reason.SESSION_ENDED, source=source, user=session.user_id, session=session.id)
    refusals.record_collapsed(event, key=session.id)
    return invalid_token()


def _forgotten() -> Problem:
    """The session's row is gone, or its key is, or its account was deleted: it is counted, and not recorded."""
    metrics.count_refused_token("session_ended")
    return invalid_token()


def is_open(session: Session, subject: str, now: datetime) -> bool:
    """Whether a session with its account, as read just now, opens anything to a token of this subject."""
    is_own = session.user_id == subject
    return is_own and sessions.is_live(session, now) and session.user.disabled_at is None


def _refused(reason: Reason, *, source: Source, user: str = "", session: str = "") -> NewEvent:
    return NewEvent(
        type=EventType.TOKEN_REFUSED,
        outcome=Outcome.FAILURE,
        reason=reason,
        source=source,
        user=user,
        session=session,
    )


def refresh_tokens(*, refresh: str, idempotency_key: str | None, source: Source) -> TokenPair:
    """Answer the successor of a refresh token.

    Raises:
        Problem: invalid_token, validation_failed (the Idempotency-Key), rate_limited or service_unavailable.
    """
    try:
        claims = RefreshToken.read(refresh)
        session_id, generation = str(claims["sid"]), int(claims["gen"])
        # Who has the signing key alone can write every claim but this one, which the digest ring makes.
        digest_key = sessions.find_digest_key(str(claims["jti"]), session_id, generation)
        if digest_key is None:
            raise InvalidToken("forged")
    except (InvalidToken, KeyError, ValueError, TypeError) as error:
        with refusals.limits_refused(source=source):
            lockout.reserve_refresh(session=None, ip=source.ip)
        refusals.record_collapsed(_refused(Reason.MALFORMED, source=source))
        raise invalid_token() from error
    with refusals.limits_refused(source=source, user=claims["sub"], session=session_id):
        lockout.reserve_refresh(session=session_id, ip=source.ip)
    if idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        session = sessions.find_session(session_id, kid=claims["kid"])
        if session is None and not pending.is_account(claims["sub"]):
            raise _forgotten()
        weak = _refused(Reason.WEAK_KEY, source=source, user=claims["sub"], session=session_id)
        refusals.record_collapsed(weak, key=session_id)
        if session is None or not sessions.is_live(session, timezone.now()):
            raise invalid_token()  # judged before what else is wrong with the request
        raise validation_failed(
            "Idempotency-Key", "invalid", "22 to 128 characters of A-Z a-z 0-9 _ - are needed."
        )
    now = timezone.now()
    asked = {
        "generation": generation,
        "kid": claims["kid"],
        "digest_key": digest_key,
        "idempotency_key": idempotency_key or "",
        "now": now,
    }
    rotation = _rotate(claims, asked, source=source)
    if rotation.session and rotation.verdict in (Verdict.ROTATED, Verdict.REPLAYED):
        return tokens.issue_pair(rotation.session, rotation.session.user, digest_key=digest_key, now=now)
    if rotation.verdict is Verdict.KEY_REPEATED:
        raise validation_failed("Idempotency-Key", "repeated", "Each refresh needs a new key.")
    raise invalid_token()


def _rotate(claims: RefreshToken, asked: dict[str, Any], *, source: Source) -> Rotation:
    """Rotate and record it, in one statement where the database can; what was no rotation is judged under a lock.

    It is tried again under that lock: a token is reused only where a rotation failed in the same transaction.
    """
    user, session_id = claims["sub"], claims["sid"]
    rotated = NewEvent(
        type=EventType.TOKEN_REFRESH, outcome=Outcome.SUCCESS, source=source, user=user, session=session_id
    )
    row = append_with(*sessions.rotation_statement(session_id, **asked), rotated)
    if row is not None:
        return sessions.as_rotated(row)
    with transaction.atomic():
        rotation = sessions.rotate_session(session_id, **asked)
        if rotation.session is None and not pending.is_account(user):
            raise _forgotten()
        _record_rotation(rotation, user=user, session_id=session_id, source=source)
    return rotation


def owner_of_refresh(encoded: str) -> tuple[str, str] | None:
    """The session and the account that a genuine refresh token names; None for anything else."""
    try:
        claims = RefreshToken.read(encoded)
        return str(claims["sid"]), str(claims["sub"])
    except (InvalidToken, KeyError):
        return None


def _record_rotation(rotation: Rotation, *, user: str, session_id: str, source: Source) -> None:
    """One event for every verdict; reuse is two, since it ends the session."""

    def event(kind: EventType, reason: str = "", failed: bool = True) -> NewEvent:
        outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
        return NewEvent(
            type=kind, outcome=outcome, reason=reason, source=source, user=user, session=session_id
        )

    match rotation.verdict:
        case Verdict.ROTATED:
            append(event(EventType.TOKEN_REFRESH, failed=False))
        case Verdict.REPLAYED:
            append(event(EventType.TOKEN_REFRESH, Reason.REPLAYED, failed=False))
        case Verdict.REUSED:
            revoke = event(EventType.SESSION_REVOKE, Reason.TOKEN_REUSE, failed=False)
            _tell_of_reuse(rotation.session, source)
            append(event(EventType.TOKEN_REUSE, Reason.REUSED), revoke)
        case Verdict.SUPERSEDED:
            append(event(EventType.TOKEN_REFUSED, Reason.SUPERSEDED))
        case Verdict.KEY_REPEATED:
            append(event(EventType.TOKEN_REFUSED, Reason.INVALID_INPUT))
        case Verdict.ENDED:
            refused = event(EventType.TOKEN_REFUSED, Reason.SESSION_ENDED)
            refusals.record_collapsed(refused, key=session_id)


def _tell_of_reuse(session: Session | None, source: Source) -> None:
    """Whoever used the token twice is out, and so is its owner, who hears why: once, for a session ends once."""
    if session is not None:
        outbox.queue_mail(
            "token_reuse",
            to=session.user.email,
            device=agents.describe_agent(session.user_agent).words,
            address=source.ip,
            time=letters.moment(timezone.now()),
        )


def log_out(*, signed: Signed, source: Source) -> None:
    """End the session of this request; its access tokens with it.

    Raises:
        Problem: invalid_token, another request has just ended it.
    """
    with transaction.atomic():
        if sessions.end_session(signed.session, reason="logout", now=timezone.now()):
            append(_ended(EventType.SESSION_END, signed, signed.session.id, source, Reason.LOGOUT))
            return
    raise session_ended(signed.session, source)


def _ended(kind: EventType, signed: Signed, session_id: str, source: Source, reason: Reason) -> NewEvent:
    return factors.plain_event(kind, signed.user.pk, source=source, session=session_id, reason=reason)


def end_own_session(*, signed: Signed, session_id: str, source: Source) -> None:
    """End one of one's own sessions.

    Raises:
        Problem: not_found, also for somebody else's, which is recorded.
    """
    now = timezone.now()
    with transaction.atomic():
        session = sessions.live_sessions(signed.user.pk, now).filter(pk=session_id).first()
        if session and sessions.end_session(session, reason="by_user", now=now):
            append(_ended(EventType.SESSION_REVOKE, signed, session_id, source, Reason.BY_USER))
        else:
            session = None
            refused = NewEvent(
                type=EventType.SESSION_REVOKE,
                outcome=Outcome.FAILURE,
                reason=Reason.NOT_FOUND,
                source=source,
                user=signed.user.pk,
                session=signed.session.id,
            )
            append(refused)
    if session is None:
        raise Problem(Code.NOT_FOUND)


def end_other_sessions(*, signed: Signed, source: Source) -> None:
    """End all sessions of the account but this one, and every login under way."""
    with transaction.atomic():
        pending.lock_account(signed.user.pk)
        pending.bump_credentials(signed.user.pk)
        ended = sessions.end_sessions(
            signed.user.pk, reason="by_user", now=timezone.now(), keep=signed.session.id
        )
        events = [
            _ended(EventType.SESSION_REVOKE, signed, ended_id, source, Reason.BY_USER) for ended_id in ended
        ]
        append(*(events or [_ended(EventType.SESSION_REVOKE, signed, "", source, Reason.BY_USER)]))


def forget_device(*, signed: Signed, device_id: str, source: Source) -> None:
    """Forget a known device of one's own.

    Raises:
        Problem: not_found, also for somebody else's, which is recorded.
    """
    with transaction.atomic():
        found = devices.forget_devices(signed.user.pk, device_id=device_id, now=timezone.now())
        append(
            NewEvent(
                type=EventType.DEVICE_FORGET,
                outcome=Outcome.SUCCESS if found else Outcome.FAILURE,
                reason=Reason.BY_USER if found else Reason.NOT_FOUND,
                source=source,
                user=signed.user.pk,
                session=signed.session.id,
                details={"device": device_id} if found else {},
            )
        )
    if not found:
        raise Problem(Code.NOT_FOUND)
