"""Who may change the second factors of an account: somebody in the middle of a first login, or signed in freshly.

The right is judged again under the account's lock by every use case that acts on it: of two people who know one
password only one binds, and who ended the session meanwhile keeps its holder from doing anything.
"""

from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import timezone

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Source
from mfa.models import Passkey
from secure_auth import devices, pending, second_step
from secure_auth.errors import Code, Problem, invalid_token, reauthentication_required
from secure_auth.models import PendingLogin, Session, User
from throttling import lockout

PHISHING_RESISTANT = "phr"  # as OpenID's EAP names it
SHOW_THE_HIGHEST = (
    "The account has a passkey: prove it, or a recovery code, at reauthenticate/ and repeat the request."
)
HIGHEST = frozenset({PHISHING_RESISTANT, "recovery"})


@dataclass(frozen=True)
class Grant:
    """Who may bind: somebody in the middle of a first login (`login`), or signed in freshly (`session`)."""

    user: User
    login: PendingLogin | None = None
    session: Session | None = None
    amr: tuple[str, ...] = ()  # of the token that shows the session: how the factor that is fresh was proved

    @property
    def session_id(self) -> str:
        """The session, empty before there is one."""
        return self.session.id if self.session else ""

    def device_lane(self) -> str | None:
        """The known device whose limits apply, if the session was opened from one."""
        return devices.lane_of(self.session, now=timezone.now()) if self.session else None


def judge_right(grant: Grant) -> Problem | None:
    """Lock the account and judge whether this grant still stands, which tells of login and session as they are by then.

    Where the account has a passkey, a code that a phishing site can relay does not change its factors: the fresh proof
    is a passkey, or a recovery code, so that a lost key ends nothing (ASVS 6.4.4). The session that bound a passkey has
    shown it by that. A later proof of the session counts for its own token only: a thief may have an older one.
    """
    locked = pending.lock_account(grant.user.pk)
    if locked is None or locked.disabled_at is not None:
        return invalid_token()
    grant.user.email = locked.email  # the owner is told where the account is by now
    if grant.login:
        # locked too: token/revoke/ ends a login without the account's lock
        fresh = PendingLogin.objects.select_for_update().filter(pk=grant.login.pk).first()
        closed = pending.has_second_factor(locked) or fresh is None
        if closed or fresh is None or not pending.is_live(fresh, locked, timezone.now()):
            return invalid_token()
        grant.login.user, grant.login.device_id = locked, fresh.device_id
        grant.login.needs_mailed_token = fresh.needs_mailed_token
        return None
    session = Session.objects.filter(pk=grant.session_id, revoked_at=None).first()
    if session is None or grant.session is None:
        return invalid_token()
    grant.session.amr = session.amr
    if locked.must_change_password:
        return Problem(Code.PASSWORD_CHANGE_REQUIRED)
    own = session.amr.split()
    bound = own if set(grant.amr) <= set(own) else ()  # binding adds to what was proved; a proof replaces it
    # Read anew: what `locked` tells of factors is older than the wait for it.
    if lacks_highest(locked.pk, (*grant.amr, *bound)):
        max_age = settings.REAUTHENTICATION_SECONDS
        return reauthentication_required(max_age, (PHISHING_RESISTANT,), detail=SHOW_THE_HIGHEST)
    return None


def lacks_highest(user_id: str, amr: tuple[str, ...]) -> bool:
    """Whether a proof is too weak to change factors; without the account's lock that may change at once."""
    return HIGHEST.isdisjoint(amr) and Passkey.objects.filter(user_id=user_id).exists()


def why(refusal: Problem, otherwise: Reason) -> Reason:
    """What the event of a refused grant says."""
    told = {
        Code.REAUTHENTICATION_REQUIRED: Reason.REAUTHENTICATION_REQUIRED,
        Code.PASSWORD_CHANGE_REQUIRED: Reason.PASSWORD_CHANGE_REQUIRED,
    }
    return told.get(refusal.code, otherwise)


def demand_open_second_step(grant: Grant, source: Source) -> None:
    """A lock of the second step binds enrolment too: a stolen session must not bind its way around it.

    Raises:
        Problem: temporarily_locked.
    """
    if grant.session is None:
        return
    reserved = second_step.reserve_code(
        login=None,
        user=grant.user,
        device=grant.device_lane(),
        totp=True,
        source=source,
        session=grant.session_id,
    )
    lockout.release(reserved)


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
