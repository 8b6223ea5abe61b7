"""The password of an account: change and reset; and what all use cases share that take an address or a password.

No answer tells a known address from an unknown one, by words or by time: every request does the same work, and mail
is a row of the same transaction that the worker sends later.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from django.db import transaction
from django.db.models import Case, Q, When
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    addresses,
    devices,
    factors,
    familiar,
    forced_changes,
    links,
    outbox,
    password_checks,
    password_policy,
    passwords,
    pending,
    refusals,
    sessions,
)
from secure_auth.errors import Code, Problem, invalid_token, validation_failed
from secure_auth.models import MailToken, Registration, Role, Session, User
from throttling import lockout
from throttling.headers import withdraw_usage
from throttling.reservations import LimitExceeded, Reservation


def demand_address(email: str, *, name: str = "email") -> addresses.Address:
    """The address, or the refusal of its field."""
    try:
        return addresses.parse_address(email)
    except ValueError as error:
        raise validation_failed(name, "invalid", "This is not an e-mail address.") from error


def demand_password(password: str, *, name: str, email: str, refused: NewEvent) -> None:
    """Record and raise the refusal of a weak new password."""
    faults = password_policy.find_faults(password, email=email)
    if faults:
        breached = faults == [password_policy.BREACHED]
        refused = replace(refused, reason=Reason.BREACHED_PASSWORD) if breached else refused
        refusals.record_collapsed(refused, key=refused.user)  # each account's refusal is an event of its own
        raise Problem(Code.VALIDATION_FAILED, errors={name: faults})


def event(
    kind: EventType,
    *,
    source: Source,
    reason: str = "",
    user: str = "",
    subject: str = "",
    session: str = "",
    failed: bool = False,
) -> NewEvent:
    """What happened to an account, or to an address that has none."""
    outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
    return NewEvent(
        type=kind,
        outcome=outcome,
        reason=reason,
        source=source,
        user=user,
        subject=subject,
        session=session,
    )


@contextmanager
def mail_reserved(
    *recipients: addresses.Address, source: Source, user: str = "", session: str = ""
) -> Iterator[bool]:
    """Reserve a mail to each address: the source is refused beyond its limit, an address silently gets no more.

    What ends in a refusal mailed nothing and gives the reservation back.

    Raises:
        Problem: rate_limited, service_unavailable.
    """
    typed = None if user else recipients[0]
    with refusals.limits_refused(source=source, user=user, address=typed, session=session):
        reserved = [lockout.reserve_mail_source(source.ip)]
        reserved += _reserve_addresses(recipients)
    try:
        yield len(reserved) > len(recipients)
    except BaseException:
        for reservation in reserved:
            lockout.release(reservation)
        raise


def _reserve_addresses(recipients: Sequence[addresses.Address]) -> list[Reservation]:
    """A mail to each, or none: what is not sent must not use up the mails of anybody's address."""
    reserved: list[Reservation] = []
    try:
        reserved.extend(lockout.reserve_mail_address(one.account) for one in recipients)
    except LimitExceeded as refusal:
        withdraw_usage(refusal.usage)  # untold, it must not decide what else counts the request
        for reservation in reserved:
            lockout.release(reservation)
        return []
    return reserved


def owner_of(address: addresses.Address, *, beside: str = "") -> User | None:
    """The account that has an address, locked: a link for it is mailed before the address changes, which kills it, or
    not at all. Else a mailbox that an account has just left would get one that works.

    `beside` is locked with it, by its id. Admins come first, as for all who act on others, then whoever is older: two
    who ask for each other's addresses would wait for each other.
    """
    users = User.objects.select_for_update().filter(Q(email_key=address.key) | Q(pk=beside))
    is_admin = Case(When(role=Role.ADMIN, disabled_at=None, then=0), default=1)
    return next((user for user in users.order_by(is_admin, "pk") if user.email_key == address.key), None)


def hold_registrations(address: addresses.Address) -> None:
    """Until the transaction ends, and before an account takes or leaves the address: whoever makes one of a
    registration holds them all, then waits for who has the address.
    """
    own = Registration.objects.select_for_update().filter(email_key=address.key)
    list(own.order_by("pk").values_list("pk"))


def refuse_link(kind: EventType, *, source: Source) -> Problem:
    """Record a bad mailed token, once a window, and give the problem to raise."""
    refusals.record_collapsed(event(kind, source=source, reason=Reason.UNKNOWN, failed=True))
    return Problem(Code.INVALID_LINK)


def change_password(
    *, user: User, session: Session, current_password: str, new_password: str, source: Source
) -> None:
    """Replace the password of somebody freshly signed in; all other sessions are over.

    Raises:
        Problem: validation_failed, invalid_credentials, temporarily_locked, invalid_token, service_unavailable.
    """
    checked = password_checks.prove_current_password(
        user=user,
        session=session,
        password=current_password,
        source=source,
        kind=EventType.PASSWORD_CHANGE,
    )
    told = partial(event, EventType.PASSWORD_CHANGE, source=source, user=user.pk, session=session.pk)
    weak = told(reason=Reason.WEAK_PASSWORD, failed=True)
    if checked.must_change_password:
        forced_changes.demand_another(new_password, current_password, refused=weak)
    demand_password(new_password, name="new_password", email=user.email, refused=weak)
    encoded = passwords.hash_password(new_password)
    now = timezone.now()
    with transaction.atomic():
        locked = password_checks.lock_unchanged(checked, session)
        if locked is None:
            append(told(reason=Reason.CREDENTIAL_CHANGED, failed=True))
        else:
            pending.bump_credentials(user.pk, password=encoded, **forced_changes.SETTLED)
            links.kill_links(user.pk, MailToken.Purpose.RESET, now=now)
            ended = sessions.end_sessions(user.pk, reason="password_changed", now=now, keep=session.pk)
            familiar.forget_sources(user.pk, keep=source)
            outbox.queue_mail("password_changed", to=user.email)
            append(told(), *revocations(ended, user.pk, Reason.PASSWORD_CHANGED, source))
    if locked is None:
        raise invalid_token()


def revocations(
    session_ids: list[str],
    user_id: str,
    reason: Reason,
    source: Source,
    *,
    device_ids: Sequence[str] = (),
    **details: object,
) -> list[NewEvent]:
    """A session.revoke for each session that something else ended, a device.forget for each known device."""
    tell = factors.plain_event
    ended = [
        tell(EventType.SESSION_REVOKE, user_id, source=source, session=one, reason=reason, **details)
        for one in session_ids
    ]
    forgotten = [
        tell(
            EventType.DEVICE_FORGET, user_id, source=source, session="", reason=reason, device=one, **details
        )
        for one in device_ids
    ]
    return ended + forgotten


def request_reset(*, email: str, source: Source) -> None:
    """Mail a reset link, if there is an account; the answer and the work are the same if not.

    Raises:
        Problem: rate_limited, service_unavailable.
    """
    address = addresses.identify(email)
    with mail_reserved(address, source=source) as mailed, transaction.atomic():
        user = owner_of(address)
        user = user if user and user.disabled_at is None else None
        token = links.create_link(MailToken.Purpose.RESET, user=user)
        template = "reset" if user and mailed else outbox.DECOY
        outbox.queue_mail(template, to=user.email if user else address.email[:320], token=token)
        reason = "" if mailed and user else Reason.RATE_LIMITED if user else Reason.UNKNOWN_ACCOUNT
        append(
            event(
                EventType.PASSWORD_RESET_REQUEST,
                source=source,
                reason=reason,
                user=user.pk if user else "",
                subject="" if user else address.account,
            )
        )


def confirm_reset(*, token: str, new_password: str, source: Source) -> None:
    """Set a new password by a mailed token. Never signs in, never touches the second factor; ends every session.

    Raises:
        Problem: invalid_link, validation_failed, rate_limited, service_unavailable.
    """
    now = timezone.now()
    link = links.find_link(token, MailToken.Purpose.RESET, now=now)
    if link is None or link.user is None:
        raise refuse_link(EventType.PASSWORD_RESET, source=source)
    user = link.user
    weak = event(
        EventType.PASSWORD_RESET, source=source, reason=Reason.WEAK_PASSWORD, user=user.pk, failed=True
    )
    demand_password(new_password, name="new_password", email=user.email, refused=weak)
    repeated = forced_changes.is_repeated(user, new_password)
    encoded = passwords.hash_password(new_password)
    with transaction.atomic():
        locked = pending.lock_account(user.pk)
        usable = locked is not None and locked.disabled_at is None and links.spend_link(link, now=now)
        if locked and usable:
            settled = forced_changes.settled_by_reset(user, locked, repeated=repeated)
            pending.bump_credentials(user.pk, password=encoded, **settled)
            links.kill_links(user.pk, MailToken.Purpose.RESET, now=now)
            ended = sessions.end_sessions(user.pk, reason="password_reset", now=now)
            forgotten = devices.forget_devices(user.pk, now=now)
            lockout.clear_after_reset(addresses.account_id(user.email_key))
            outbox.queue_mail("password_changed", to=user.email)
            done = event(EventType.PASSWORD_RESET, source=source, user=user.pk)
            cause = Reason.PASSWORD_RESET
            append(done, *revocations(ended, user.pk, cause, source, device_ids=forgotten))
    if not usable:
        raise refuse_link(EventType.PASSWORD_RESET, source=source)
