"""Who may change the second factors of an account: somebody in the middle of a first login, or signed in freshly.

The right is judged again under the account's lock by every use case that acts on it: of two people who know one
password only one binds, and who ended the session meanwhile keeps its holder from doing anything.
"""

from dataclasses import dataclass, replace

from django.utils import timezone

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import devices, pending
from secure_auth.errors import invalid_token
from secure_auth.models import PendingLogin, Session, User


@dataclass(frozen=True)
class Grant:
    """Who may bind: somebody in the middle of a first login (`login`), or signed in freshly (`session`)."""

    user: User
    login: PendingLogin | None = None
    session: Session | None = None

    @property
    def session_id(self) -> str:
        """The session, empty before there is one."""
        return self.session.id if self.session else ""

    def device_lane(self) -> str | None:
        """The known device whose limits apply, if the session was opened from one."""
        return devices.lane_of(self.session, now=timezone.now()) if self.session else None


def judge_right(grant: Grant) -> Exception | None:
    """Lock the account and judge whether this grant still stands."""
    locked = pending.lock_account(grant.user.pk)
    if locked is None or locked.disabled_at is not None:
        return invalid_token()
    if grant.login:
        fresh = PendingLogin.objects.filter(pk=grant.login.pk).first()
        closed = pending.has_second_factor(locked) or fresh is None
        if closed or fresh is None or not pending.is_live(fresh, locked, timezone.now()):
            return invalid_token()
    elif not Session.objects.filter(pk=grant.session_id, revoked_at=None).exists():
        return invalid_token()
    return None


def success(kind: EventType, grant: Grant, authenticator_id: str, source: Source) -> NewEvent:
    """The event of what was done with this right."""
    details = {"authenticator": authenticator_id, "login": grant.login.id if grant.login else ""}
    return NewEvent(
        type=kind,
        outcome=Outcome.SUCCESS,
        source=source,
        user=grant.user.pk,
        session=grant.session_id,
        details={name: value for name, value in details.items() if value},
    )


def failure(kind: EventType, grant: Grant, reason: Reason, source: Source) -> NewEvent:
    """The event of what was refused."""
    return replace(success(kind, grant, "", source), outcome=Outcome.FAILURE, reason=reason)
