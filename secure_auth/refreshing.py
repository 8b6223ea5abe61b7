"""A refresh token's successor, and the event of whatever comes of asking for it (docs/sessions.md)."""

import re
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append, append_with
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import access, agents, letters, outbox, pending, refusals, sessions, tokens
from secure_auth.errors import invalid_token, validation_failed
from secure_auth.models import Session
from secure_auth.sessions import Rotation, Verdict
from secure_auth.tokens import InvalidToken, RefreshToken, TokenPair
from throttling import lockout
from throttling.headers import forget_usage
from throttling.reservations import LimitExceeded

IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)


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
        refusals.record_collapsed(access.refused(Reason.MALFORMED, source=source))
        raise invalid_token() from error
    now = timezone.now()
    asked = {
        "generation": generation,
        "kid": claims["kid"],
        "digest_key": digest_key,
        "idempotency_key": idempotency_key or "",
        "now": now,
    }
    is_weak = idempotency_key is not None and not IDEMPOTENCY_KEY.fullmatch(idempotency_key)
    with refusals.limits_refused(source=source, user=claims["sub"], session=session_id):
        _reserve(session_id, asked, is_weak=is_weak, source=source)
    if is_weak:
        session = sessions.find_session(session_id, kid=claims["kid"])
        if session is None and not pending.is_account(claims["sub"]):
            raise access.forgotten()
        weak = access.refused(Reason.WEAK_KEY, source=source, user=claims["sub"], session=session_id)
        refusals.record_collapsed(weak, key=session_id)
        if session is None or not sessions.is_live(session, timezone.now()):
            raise invalid_token()  # judged before what else is wrong with the request
        raise validation_failed(
            "Idempotency-Key", "invalid", "22 to 128 characters of A-Z a-z 0-9 _ - are needed."
        )
    rotation = _rotate(claims, asked, source=source)
    if rotation.session and rotation.verdict in (Verdict.ROTATED, Verdict.REPLAYED):
        return tokens.issue_pair(rotation.session, rotation.session.user, digest_key=digest_key, now=now)
    if rotation.verdict is Verdict.KEY_REPEATED:
        raise validation_failed("Idempotency-Key", "repeated", "Each refresh needs a new key.")
    raise invalid_token()


def _reserve(session_id: str, asked: dict[str, Any], *, is_weak: bool, source: Source) -> None:
    """A place within the rates. A thief who uses up the session's must not keep its owner's token from being judged:
    one that is reused takes none.
    """
    try:
        lockout.reserve_refresh(session=session_id, ip=source.ip)
    except LimitExceeded as refusal:
        if refusal.limit.purpose != "refresh" or is_weak or not sessions.is_reused(session_id, **asked):
            raise
        forget_usage()


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
            raise access.forgotten()
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
        case Verdict.UNKNOWN:
            revoke = event(EventType.SESSION_REVOKE, Reason.UNKNOWN, failed=False)
            append(event(EventType.TOKEN_REFUSED, Reason.UNKNOWN), revoke)
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
