"""What is done with a token but use it: other services ask about it, its holder ends it (RFC 7662, RFC 7009)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import access, keys, pending, refusals, sessions
from secure_auth.factors import plain_event
from secure_auth.models import Client, PendingLogin, Session
from secure_auth.tokens import AccessToken, InvalidToken, PartialToken, RefreshToken, RingToken

INACTIVE: dict[str, Any] = {"active": False}
TOLD_CLAIMS = (
    *("iss", "aud", "sub", "jti", "iat", "exp", "client_id"),
    *("sid", "auth_time", "amr", "acr"),
)


def introspect_token(encoded: str, *, client: Client, source: Source) -> dict[str, Any]:
    """What a live access token says (RFC 7662 section 2.2); of anything else only that it is not active.

    The roles are the account's as they are now, as for this service's own doors: one that was taken away opens nothing.
    A refresh or partial token is not active either: a service that took it for an access token would open its door.
    Recorded once a window for each client and session, so that a busy service does not fill the log.
    """
    claims, session = _live_access(encoded)
    event = NewEvent(
        type=EventType.TOKEN_INTROSPECT,
        outcome=Outcome.SUCCESS,
        source=source,
        user=session.user_id if session else "",
        session=session.id if session else "",
        details={"client": client.id, "active": session is not None},
    )
    refusals.record_collapsed(event, key=f"{client.id}{event.session}")
    if session is None:
        return INACTIVE
    told = {name: claims[name] for name in TOLD_CLAIMS}
    return {"active": True, "token_type": "Bearer", **told, "roles": session.user.roles}


def _live_access(encoded: str) -> tuple[dict[str, Any], Session | None]:
    try:
        claims = AccessToken.read(encoded).payload
    except InvalidToken:
        return {}, None
    session = sessions.find_session(str(claims.get("sid", "")), kid=claims["kid"])
    if session is None or not access.is_open(session, claims["sub"], timezone.now()):
        return {}, None
    return claims, None if session.user.must_change_password else session


def revoke_token(encoded: str, *, source: Source) -> None:
    """End what a token opens (RFC 7009 section 2.1): the session of an access or refresh token, a partial one's login.

    What opens nothing any more, or is none of ours, is answered alike and recorded once a window. An older refresh
    token ends its session too: whoever holds it could end it by reuse.
    """
    now = timezone.now()
    token = _read_any(encoded)
    with transaction.atomic():
        if isinstance(token, PartialToken):
            ended = _end_login(token, source=source, now=now)
        else:
            ended = token is not None and _end_session(token, source=source, now=now)
    if not ended:
        refused = NewEvent(
            type=EventType.TOKEN_REVOKE,
            outcome=Outcome.FAILURE,
            reason=Reason.SESSION_ENDED if token else Reason.MALFORMED,
            source=source,
            user=token["sub"] if token and pending.is_account(token["sub"]) else "",
        )
        refusals.record_collapsed(refused, key=refused.user)


def _read_any(encoded: str) -> RingToken | None:
    for kind in (RefreshToken, AccessToken, PartialToken):
        try:
            return kind.read(encoded)
        except InvalidToken:
            continue
    return None


def _end_session(token: RingToken, *, source: Source, now: datetime) -> bool:
    session = sessions.find_session(str(token.get("sid", "")), kid=token["kid"])
    if session is None or session.user_id != token["sub"] or not sessions.is_live(session, now):
        return False
    if not sessions.end_session(session, reason="token_revoked", now=now):
        return False
    append(
        plain_event(
            EventType.TOKEN_REVOKE, session.user_id, source=source, session=session.id, kind=token.token_type
        ),
        plain_event(
            EventType.SESSION_END, session.user_id, source=source, session=session.id, reason=Reason.REVOKED
        ),
    )
    return True


def _end_login(token: RingToken, *, source: Source, now: datetime) -> bool:
    login = PendingLogin.objects.filter(pk=token["jti"], user_id=token["sub"]).first()
    if login is None or not keys.is_live(token["kid"]) or not pending.close_pending(login, now=now):
        return False
    append(plain_event(EventType.TOKEN_REVOKE, login.user_id, source=source, kind=token.token_type))
    return True
