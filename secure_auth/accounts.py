"""The life of an account: register, confirm, change and reset the password.

No answer tells a known address from an unknown one, by words or by time: every request does the same work, and mail
is a row of the same transaction that the worker sends later. Registrations of one address stand beside each other,
each with its own password and mail, until one of them is confirmed with that password: nobody plants a password on
another's mailbox.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    addresses,
    devices,
    factors,
    familiar,
    links,
    outbox,
    passwords,
    pending,
    proofs,
    refusals,
    sessions,
)
from secure_auth.errors import Code, Problem, invalid_token, validation_failed
from secure_auth.models import MailToken, Registration, Session, User
from secure_auth.pending import PasswordProved
from throttling import lockout
from throttling.reservations import LimitExceeded


def demand_address(email: str) -> addresses.Address:
    """The address, or the refusal of its field."""
    try:
        return addresses.parse_address(email)
    except ValueError as error:
        raise validation_failed("email", "invalid", "This is not an e-mail address.") from error


def demand_password(password: str, *, name: str, email: str, refused: NewEvent) -> None:
    """Record and raise the refusal of a weak new password."""
    faults = passwords.find_faults(password, email=email)
    if faults:
        refusals.record_collapsed(refused)
        raise Problem(Code.VALIDATION_FAILED, errors={name: faults})


def _event(
    kind: EventType,
    *,
    source: Source,
    reason: str = "",
    user: str = "",
    subject: str = "",
    failed: bool = False,
) -> NewEvent:
    outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
    return NewEvent(type=kind, outcome=outcome, reason=reason, source=source, user=user, subject=subject)


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
        with suppress(LimitExceeded):
            reserved.extend(lockout.reserve_mail_address(one.account) for one in recipients)
    try:
        yield len(reserved) > len(recipients)
    except BaseException:
        for reservation in reserved:
            lockout.release(reservation)
        raise


def register(*, email: str, password: str, source: Source) -> None:
    """Begin an account; the mail tells the rest.

    Raises:
        Problem: validation_failed, rate_limited, service_unavailable.
    """
    address = demand_address(email)
    weak = _event(
        EventType.ACCOUNT_REGISTER,
        source=source,
        reason=Reason.WEAK_PASSWORD,
        subject=address.account,
        failed=True,
    )
    demand_password(password, name="password", email=address.email, refused=weak)
    with mail_reserved(address, source=source) as mailed:
        encoded = passwords.hash_password(password)
    with transaction.atomic():
        known = User.objects.filter(email_key=address.key).exists()
        row = Registration.objects.create(email=address.email, email_key=address.key, password=encoded)
        token = links.create_link(MailToken.Purpose.CONFIRM, registration=None if known else row)
        template = outbox.DECOY if not mailed else "known_address" if known else "confirm"
        outbox.queue_mail(template, to=address.email, token=None if template == "known_address" else token)
        reason = Reason.RATE_LIMITED if not mailed else Reason.KNOWN_ADDRESS if known else ""
        append(_event(EventType.ACCOUNT_REGISTER, source=source, reason=reason, subject=address.account))


def confirm_registration(*, token: str, password: str, source: Source) -> PasswordProved:
    """Turn a registration into an account: whoever shows the mailed token and that registration's password.

    Raises:
        Problem: invalid_link, invalid_credentials, temporarily_locked, rate_limited or service_unavailable.
    """
    now = timezone.now()
    link = links.find_link(token, MailToken.Purpose.CONFIRM, now=now)
    if link is None or link.registration is None:
        raise refuse_link(EventType.ACCOUNT_CONFIRM, source=source)
    registration = link.registration
    address = addresses.Address(registration.email, registration.email_key)
    account = address.account
    with refusals.limits_refused(source=source, address=address):
        reservation = lockout.reserve_password_attempt(lockout.PasswordAttempt(account=account, ip=source.ip))
    try:
        proof = passwords.check_password(password, registration.password)
    except BaseException:
        lockout.release(reservation)
        raise
    answer = None
    with transaction.atomic():
        settlement = lockout.settle_password_attempt(reservation, failed=not proof.matches)
        locks = refusals.begin_locks(settlement, source=source, subject=account)
        if not proof.matches:
            refused = _event(
                EventType.ACCOUNT_CONFIRM,
                source=source,
                reason=Reason.WRONG_PASSWORD,
                subject=account,
                failed=True,
            )
            append(refused, *locks)
        elif links.spend_link(link, now=now) and (user := _create_user(registration, now)):
            locked = pending.lock_account(user.pk)
            answer = pending.open_pending(locked or user, device_id="", ip=source.ip, now=now)
            append(_event(EventType.ACCOUNT_CONFIRM, source=source, user=user.pk), *locks)
        else:
            append(*locks)
    if not proof.matches:
        raise Problem(Code.INVALID_CREDENTIALS)
    if answer is None:
        raise refuse_link(EventType.ACCOUNT_CONFIRM, source=source)
    return answer


def _create_user(registration: Registration, now: datetime) -> User | None:
    """The account of a registration; None when another registration of the address was confirmed first."""
    try:
        with transaction.atomic():
            user = User.objects.create(
                email=registration.email,
                email_key=registration.email_key,
                password=registration.password,
                role=registration.role,
                mailbox_proved_at=now,
            )
    except IntegrityError:
        return None
    Registration.objects.filter(email_key=registration.email_key).delete()
    return user


def refuse_link(kind: EventType, *, source: Source) -> Problem:
    """Record a bad mailed token, once a window, and give the problem to raise."""
    refusals.record_collapsed(_event(kind, source=source, reason=Reason.UNKNOWN, failed=True))
    return Problem(Code.INVALID_LINK)


def change_password(
    *, user: User, session: Session, current_password: str, new_password: str, source: Source
) -> None:
    """Replace the password of somebody freshly signed in; all other sessions are over.

    Raises:
        Problem: validation_failed, invalid_credentials, temporarily_locked, invalid_token, service_unavailable.
    """
    checked = proofs.prove_current_password(
        user=user, session=session, password=current_password, source=source
    )
    weak = _event(
        EventType.PASSWORD_CHANGE, source=source, reason=Reason.WEAK_PASSWORD, user=user.pk, failed=True
    )
    demand_password(new_password, name="new_password", email=user.email, refused=weak)
    encoded = passwords.hash_password(new_password)
    now = timezone.now()
    with transaction.atomic():
        locked = proofs.lock_unchanged(checked, session)
        if locked is None:
            append(raced_event(EventType.PASSWORD_CHANGE, user, source=source))
        else:
            pending.bump_credentials(user.pk, password=encoded)
            links.kill_links(user.pk, MailToken.Purpose.RESET, now=now)
            ended = sessions.end_sessions(user.pk, reason="password_changed", now=now, keep=session.pk)
            familiar.forget_sources(user.pk, keep=source)
            outbox.queue_mail("password_changed", to=user.email)
            done = _event(EventType.PASSWORD_CHANGE, source=source, user=user.pk)
            append(done, *revocations(ended, user.pk, Reason.PASSWORD_CHANGED, source))
    if locked is None:
        raise invalid_token()


def raced_event(kind: EventType, user: User, *, source: Source) -> NewEvent:
    """What an action says that lost its race against another change of the account."""
    return _event(kind, source=source, reason=Reason.CREDENTIAL_CHANGED, user=user.pk, failed=True)


def revocations(
    session_ids: list[str], user_id: str, reason: Reason, source: Source, **details: object
) -> list[NewEvent]:
    """A session.revoke for each session that something else ended."""
    return [
        factors.plain_event(
            EventType.SESSION_REVOKE, user_id, source=source, session=session_id, reason=reason, **details
        )
        for session_id in session_ids
    ]


def request_reset(*, email: str, source: Source) -> None:
    """Mail a reset link, if there is an account; the answer and the work are the same if not.

    Raises:
        Problem: rate_limited, service_unavailable.
    """
    address = addresses.identify(email)
    with mail_reserved(address, source=source) as mailed, transaction.atomic():
        user = User.objects.filter(email_key=address.key, disabled_at=None).first()
        token = links.create_link(MailToken.Purpose.RESET, user=user)
        template = "reset" if user and mailed else outbox.DECOY
        outbox.queue_mail(template, to=user.email if user else address.email[:320], token=token)
        reason = "" if mailed and user else Reason.RATE_LIMITED if user else Reason.UNKNOWN_ACCOUNT
        append(
            _event(
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
    weak = _event(
        EventType.PASSWORD_RESET, source=source, reason=Reason.WEAK_PASSWORD, user=user.pk, failed=True
    )
    demand_password(new_password, name="new_password", email=user.email, refused=weak)
    encoded = passwords.hash_password(new_password)
    with transaction.atomic():
        locked = pending.lock_account(user.pk)
        usable = locked is not None and locked.disabled_at is None and links.spend_link(link, now=now)
        if usable:
            pending.bump_credentials(user.pk, password=encoded)
            links.kill_links(user.pk, MailToken.Purpose.RESET, now=now)
            ended = sessions.end_sessions(user.pk, reason="password_reset", now=now)
            devices.forget_devices(user.pk, now=now)
            lockout.clear_after_reset(addresses.account_id(user.email_key))
            outbox.queue_mail("password_changed", to=user.email)
            done = _event(EventType.PASSWORD_RESET, source=source, user=user.pk)
            append(done, *revocations(ended, user.pk, Reason.PASSWORD_RESET, source))
    if not usable:
        raise refuse_link(EventType.PASSWORD_RESET, source=source)
