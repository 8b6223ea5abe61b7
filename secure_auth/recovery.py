"""Who lost every second factor: an operator or admin resets them, at once or after a cooling-off time.

With RESET_MFA_DELAY_SECONDS a reset is asked for first, and waits. The owner is told by mail at once and once more
before it takes effect, each time with a link that cancels it; so can an admin. What somebody does who is signed in, or
signs in, cancels nothing: a thief who has the factor must not keep its owner from being rid of it.

Whoever settles a waiting reset holds the account's lock and wins one conditional UPDATE: of a link, an admin and the
worker that come at once, one does. It never takes effect before the second mail was written and its lead has passed,
however long no worker ran and whichever clock is wrong (OWASP ASVS 6.4.4; NIST SP 800-63B-4 section 4.2).
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit import clocks
from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason, Source
from mfa.models import FACTORS
from secure_auth import accounts, letters, links, outbox, pending
from secure_auth.acting import Actor, Refused, action_event, end_everything, lock_target, refusal_event
from secure_auth.models import FactorReset, MailToken, Role, User

LEAD = timedelta(days=1)  # from the second mail to the effect, or half the delay where that is shorter
BATCH = 50
DUE = """SELECT 1 FROM secure_auth_factorreset WHERE settled_at IS NULL
            AND ((reminded_at IS NULL AND remind_at <= %s) OR (reminded_at IS NOT NULL AND effective_at <= %s))
          LIMIT 1"""


def reset_mfa(*, user: User, actor: Actor) -> datetime | None:
    """Remove every second factor of an account, so that the next login enrols again with a mailed token.

    Returns when it will take effect, if there is a delay; None when it has.

    Raises:
        Refused: one is waiting already, and a second one does not shorten it; the account was deleted meanwhile.
    """
    now, refusal, effective_at = timezone.now(), None, None
    with transaction.atomic():
        user = lock_target(user)
        waiting = open_reset(user.pk)
        if not settings.RESET_MFA_DELAY_SECONDS:
            if waiting:
                _settle(waiting, now)
            _remove_factors(user, actor, now)
        elif waiting:
            when = letters.moment(waiting.effective_at)
            refusal = Refused(f"a reset is waiting already and takes effect at {when} UTC", Reason.PENDING)
            append(refusal_event(EventType.MFA_RESET_REQUEST, user.pk, actor, refusal.reason))
        else:
            effective_at = _begin_waiting(user, actor, clocks.later_now())
    if refusal:
        raise refusal
    return effective_at


def kind_of_request() -> EventType:
    """What a request to reset is recorded as: with a delay it is only asked for."""
    return EventType.MFA_RESET_REQUEST if settings.RESET_MFA_DELAY_SECONDS else EventType.MFA_RESET


def open_reset(user_id: str) -> FactorReset | None:
    """The reset of an account that waits."""
    return FactorReset.objects.filter(user_id=user_id, settled_at=None).first()


def _begin_waiting(user: User, actor: Actor, now: datetime) -> datetime:
    delay = timedelta(seconds=settings.RESET_MFA_DELAY_SECONDS)
    reset = FactorReset.objects.create(
        user=user,
        actor=actor.user_id,
        created_at=now,
        remind_at=now + delay - _lead(delay),
        effective_at=now + delay,
    )
    _tell_owner(reset, user)
    append(
        action_event(
            EventType.MFA_RESET_REQUEST, user.pk, actor, reset=reset.id, effective_at=reset.effective_at
        )
    )
    return reset.effective_at


def _lead(delay: timedelta) -> timedelta:
    return min(delay / 2, LEAD)


def _tell_owner(reset: FactorReset, user: User, *, reminder: str = "") -> None:
    """A mail with a link of its own that cancels; any of them does."""
    link = links.create_link(MailToken.Purpose.CANCEL_RESET, user=user, reset=reset)
    when = letters.moment(reset.effective_at)
    outbox.queue_mail("mfa_reset_waiting", to=user.email, token=link, when=when, reminder=reminder)


def _settle(reset: FactorReset, now: datetime) -> bool:
    """End the waiting; False when somebody else has. Its links are dead by this."""
    settled = FactorReset.objects.filter(pk=reset.pk, settled_at=None).update(settled_at=now)
    if settled:
        links.kill_links(reset.user_id, MailToken.Purpose.CANCEL_RESET, now=now)
    return bool(settled)


def _remove_factors(user: User, actor: Actor, now: datetime, reset: str | None = None) -> None:
    for model in FACTORS:
        model._default_manager.filter(user=user).delete()
    pending.bump_credentials(user.pk, had_second_factor=True)
    events = end_everything(user, Reason.MFA_RESET, actor, now)
    outbox.queue_mail("mfa_reset", to=user.email)
    append(action_event(EventType.MFA_RESET, user.pk, actor, reset=reset), *events)


def cancel_by_link(*, token: str, source: Source) -> None:
    """Cancel a waiting reset by the link that its owner was mailed.

    Raises:
        Problem: invalid_link, also when it has taken effect or was cancelled before.
    """
    now = timezone.now()
    link = links.find_link(token, MailToken.Purpose.CANCEL_RESET, now=now)
    if link is None or link.reset is None or link.user is None:
        raise accounts.refuse_link(EventType.MFA_RESET_CANCEL, source=source)
    with transaction.atomic():
        user = pending.lock_account(link.user.pk)
        cancelled = user and links.spend_link(link, now=now) and _settle(link.reset, now)
        if user and cancelled:
            outbox.queue_mail("mfa_reset_cancelled", to=user.email)
            append(_cancelled(link.reset, Reason.BY_USER, source))
    if not cancelled:
        raise accounts.refuse_link(EventType.MFA_RESET_CANCEL, source=source)


def _cancelled(reset: FactorReset, reason: Reason, source: Source) -> NewEvent:
    return NewEvent(
        type=EventType.MFA_RESET_CANCEL,
        outcome=Outcome.SUCCESS,
        reason=reason,
        source=source,
        user=reset.user_id,
        details={"reset": reset.id},
    )


def cancel_reset_mfa(*, user: User, actor: Actor) -> None:
    """Cancel a waiting reset as an operator or admin; the owner is told.

    Raises:
        Refused: none is waiting.
    """
    now = timezone.now()
    with transaction.atomic():
        user = lock_target(user)
        waiting = open_reset(user.pk)
        if waiting and _settle(waiting, now):
            outbox.queue_mail("mfa_reset_cancelled", to=user.email)
            append(action_event(EventType.MFA_RESET_CANCEL, user.pk, actor, reset=waiting.id))
        else:
            waiting = None
            append(refusal_event(EventType.MFA_RESET_CANCEL, user.pk, actor, Reason.NOT_FOUND))
    if waiting is None:
        raise Refused("no reset is waiting", Reason.NOT_FOUND)


def cancel_because_disabled(user: User, actor: Actor, now: datetime) -> list[NewEvent]:
    """A reset does not outlive the disabling of its account, whose mailed links are dead; the event to append."""
    waiting = open_reset(user.pk)
    if waiting is None or not _settle(waiting, now):
        return []
    return [_cancelled(waiting, Reason.ACCOUNT_DISABLED, actor.source)]


def cancel_because_fallen(admin: User, actor: Actor, now: datetime) -> list[NewEvent]:
    """What somebody asked for who is no admin by this: it would take effect once they are one again; the events."""
    events = []
    for waiting in FactorReset.objects.filter(actor=admin.pk, settled_at=None).order_by("user_id"):
        user = pending.lock_account(waiting.user_id)
        if user and _settle(waiting, now):
            outbox.queue_mail("mfa_reset_cancelled", to=user.email)
            events.append(_cancelled(waiting, Reason.NOT_ALLOWED, actor.source))
    return events


def act_due() -> int:
    """Send the second mails that are due and let what has waited take effect; how many. For the worker."""
    now = clocks.earlier_now()
    waiting = FactorReset.objects.filter(settled_at=None)
    silent = waiting.filter(reminded_at=None, remind_at__lte=now).values_list("pk", flat=True)
    done = sum(_remind(pk, now) for pk in silent[:BATCH])
    due = waiting.filter(reminded_at__isnull=False, effective_at__lte=now).values_list("pk", flat=True)
    return done + sum(_take_effect(pk, now) for pk in due[:BATCH])


def _lock_reset(reset_id: str) -> tuple[FactorReset, User] | None:
    """A waiting reset and its account, locked in the order that everybody locks in."""
    owner = FactorReset.objects.filter(pk=reset_id).values_list("user_id", flat=True).first()
    user = pending.lock_account(owner) if owner else None
    reset = FactorReset.objects.filter(pk=reset_id, settled_at=None).first()
    return (reset, user) if reset and user else None


def _remind(reset_id: str, now: datetime) -> bool:
    """The second mail. One that is late, for want of a worker, puts the effect off: the owner has the whole lead."""
    with transaction.atomic():
        found = _lock_reset(reset_id)
        if found is None or found[0].reminded_at is not None:
            return False
        reset, user = found
        reset.reminded_at = now
        reset.effective_at = max(reset.effective_at, now + _lead(reset.effective_at - reset.created_at))
        reset.save(update_fields=["reminded_at", "effective_at"])
        _tell_owner(reset, user, reminder="yes")
    return True


def _take_effect(reset_id: str, now: datetime) -> bool:
    """Remove the factors of a reset that has waited, with its event, once; what may no longer be is cancelled."""
    with transaction.atomic():
        found = _lock_reset(reset_id)
        if found is None or not _settle(found[0], now):
            return False
        reset, user = found
        actor, refused = Actor(SYSTEM, user_id=reset.actor), _why_void(reset, user)
        if refused:
            outbox.queue_mail("mfa_reset_cancelled", to=user.email)
            append(_cancelled(reset, refused, SYSTEM))
        else:
            _remove_factors(user, actor, now, reset=reset.id)
    return True


def _why_void(reset: FactorReset, user: User) -> Reason | None:
    """Why a reset may no longer be: the admin who asked for it is none any more, or its target has become one."""
    if not reset.actor:
        return None
    if not User.objects.filter(pk=reset.actor, role=Role.ADMIN, disabled_at=None).exists():
        return Reason.NOT_ALLOWED
    return Reason.OTHER_ADMIN if user.role == Role.ADMIN else None
