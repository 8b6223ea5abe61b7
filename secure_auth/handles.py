"""The handle by which the pages know a session: opaque, random, and no token.

A browser keeps it as a cookie that scripts can't read, and only the pages honour it. The session's row has its digest;
from the moment there is one, no refresh token rotates that session. Proving a second factor again replaces the handle,
so that a copy taken before does not become fresh with it.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from audit.events import Source
from secure_auth import access, metrics, tokens
from secure_auth.access import Signed
from secure_auth.models import Session, is_id

SECRET_BYTES = 32
NOTED_PER_IDLE = 60  # a session's last use is noted at most this often within its idle time


def hand_out(session_id: str) -> str:
    """The handle of a session that was just opened, or proved again; the one before is dead.

    A crash between the opening and this leaves a session that nobody holds and that ends by itself.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    own = Session.objects.filter(pk=session_id, revoked_at=None)
    own.update(web_digest=_digest(secret), refresh_digest="")
    return f"{session_id}.{secret}"


def authenticate_handle(handle: str, *, source: Source) -> Signed | None:
    """Whose handle this is; one statement, and now and then one that notes the use. None: nobody's, or a replaced one.

    Raises:
        Problem: invalid_token, its session ended; recorded once a window.
    """
    session_id, _, secret = handle.partition(".")
    found = Session.objects.select_related("user").filter(pk=session_id) if is_id(session_id) else None
    session = found.first() if found is not None else None
    if session is None or not hmac.compare_digest(_digest(secret), session.web_digest):
        metrics.count_refused_token("forged")
        return None
    now = timezone.now()
    if not access.is_open(session, session.user_id, now):
        raise access.session_ended(session, source)
    _note_use(session, now)
    return Signed(
        session.user, session, int(session.auth_time.timestamp()), tokens.ACR, tuple(session.amr.split())
    )


def _note_use(session: Session, now: datetime) -> None:
    """Keep an active session from idling out; one that was revoked meanwhile stays so."""
    idle = timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    if now - session.last_seen_at < idle / NOTED_PER_IDLE:
        return
    live = Session.objects.filter(pk=session.pk, revoked_at=None, idle_expires_at__gt=now)
    live.update(last_seen_at=now, idle_expires_at=min(now + idle, session.expires_at))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
