"""What the holder of a token may do with it: authenticate a request, log out, see and end sessions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    devices,
    factors,
    metrics,
    pending,
    refusals,
    sessions,
)
from secure_auth.errors import Code, Problem, invalid_token
from secure_auth.models import Session, User
from secure_auth.tokens import AccessToken, InvalidToken


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
        raise forgotten()
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
        restricted = refused(reason, source=source, user=signed.user.pk, session=signed.session.id)
        refusals.record_collapsed(restricted, key=signed.session.id)
        raise invalid_token()


def session_ended(session: Session, source: Source) -> Problem:
    """Record, once a window, that a token of an ended session came, and give the problem to raise."""
    metrics.count_refused_token("session_ended")
    event = refused(Reason.SESSION_ENDED, source=source, user=session.user_id, session=session.id)
    refusals.record_collapsed(event, key=session.id)
    return invalid_token()


def forgotten() -> Problem:
    """The session's row is gone, or its key is, or its account was deleted: it is counted, and not recorded."""
    metrics.count_refused_token("session_ended")
    return invalid_token()


def is_open(session: Session, subject: str, now: datetime) -> bool:
    """Whether a session with its account, as read just now, opens anything to a token of this subject."""
    is_own = session.user_id == subject
    return is_own and sessions.is_live(session, now) and session.user.disabled_at is None


def judge_signed(signed: Signed, *, role: str = "", source: Source) -> Problem | None:
    """Lock the account and judge again, in the transaction that acts, what was judged when the request came: it may
    have waited behind the one that shut its sender out, and would undo that.
    """
    pending.lock_account(signed.user.pk)
    return judge_again(signed.session.id, signed.user.pk, role=role, source=source)


def judge_again(session_id: str, user_id: str, *, role: str, source: Source) -> Problem | None:
    """The same under the lock of all admins, which the caller holds. Who fell is none of them, and is not locked: two
    requests of theirs would wait for each other.
    """
    session = Session.objects.select_related("user").filter(pk=session_id).first()
    if session is None:
        return forgotten()
    if not is_open(session, user_id, timezone.now()):
        return session_ended(session, source)
    denied = replace(
        refused(Reason.ROLE_MISSING, source=source, user=user_id, session=session_id),
        type=EventType.PERMISSION_DENIED,
    )
    if session.user.must_change_password:
        refusals.record_collapsed(replace(denied, reason=Reason.PASSWORD_CHANGE_REQUIRED), key=session_id)
        return Problem(Code.PASSWORD_CHANGE_REQUIRED)
    if role and role not in session.user.roles:
        refusals.record_collapsed(replace(denied, details={"role": role}), key=session_id)
        return Problem(Code.PERMISSION_DENIED)
    return None


def refused(reason: Reason, *, source: Source, user: str = "", session: str = "") -> NewEvent:
    """The event of a token that opens nothing."""
    return NewEvent(
        type=EventType.TOKEN_REFUSED,
        outcome=Outcome.FAILURE,
        reason=reason,
        source=source,
        user=user,
        session=session,
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
        Problem: not_found, also for somebody else's, which is recorded; invalid_token when the own ended meanwhile.
    """
    _act(signed, source, lambda: _end_own(signed, session_id, source))


def _act(signed: Signed, source: Source, do: Callable[[], bool]) -> None:
    """Do it if its sender still may; what was not there is not_found. Nothing is raised before the events are kept."""
    with transaction.atomic():
        problem = judge_signed(signed, source=source)
        if problem is None and not do():
            problem = Problem(Code.NOT_FOUND)
    if problem:
        raise problem


def _end_own(signed: Signed, session_id: str, source: Source) -> bool:
    now = timezone.now()
    session = sessions.live_sessions(signed.user.pk, now).filter(pk=session_id).first()
    if session and sessions.end_session(session, reason="by_user", now=now):
        append(_ended(EventType.SESSION_REVOKE, signed, session_id, source, Reason.BY_USER))
        return True
    failed = NewEvent(
        type=EventType.SESSION_REVOKE,
        outcome=Outcome.FAILURE,
        reason=Reason.NOT_FOUND,
        source=source,
        user=signed.user.pk,
        session=signed.session.id,
    )
    append(failed)
    return False


def end_other_sessions(*, signed: Signed, source: Source) -> None:
    """End all sessions of the account but this one, and every login under way.

    Raises:
        Problem: invalid_token when this one ended meanwhile: a thief who was shut out takes no owner along.
    """
    _act(signed, source, lambda: _end_others(signed, source))


def _end_others(signed: Signed, source: Source) -> bool:
    pending.bump_credentials(signed.user.pk)
    ended = sessions.end_sessions(
        signed.user.pk, reason="by_user", now=timezone.now(), keep=signed.session.id
    )
    events = [
        _ended(EventType.SESSION_REVOKE, signed, ended_id, source, Reason.BY_USER) for ended_id in ended
    ]
    append(*(events or [_ended(EventType.SESSION_REVOKE, signed, "", source, Reason.BY_USER)]))
    return True


def forget_device(*, signed: Signed, device_id: str, source: Source) -> None:
    """Forget a known device of one's own.

    Raises:
        Problem: not_found, also for somebody else's, which is recorded; invalid_token when the session ended meanwhile.
    """
    _act(signed, source, lambda: _forget_own(signed, device_id, source))


def _forget_own(signed: Signed, device_id: str, source: Source) -> bool:
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
    return bool(found)
