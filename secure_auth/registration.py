"""Becoming somebody: register an address, and confirm it by mail.

Registrations of one address stand beside each other, each with its own password and mail, until one of them is
confirmed with that password: nobody plants a password on another's mailbox. REGISTRATION says who may begin one.
"""

from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import append
from audit.events import EventType, Reason, Source
from secure_auth import accounts, addresses, links, outbox, passwords, pending, refusals
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.models import MailToken, Registration, User
from secure_auth.pending import PasswordProved
from throttling import lockout


def demand_open(*, source: Source) -> None:
    """Refuse everybody alike where nobody may register.

    Raises:
        Problem: registration_closed, recorded once a window.
    """
    if settings.REGISTRATION == "closed":
        closed = Reason.REGISTRATION_CLOSED
        refusals.record_collapsed(
            accounts.event(EventType.ACCOUNT_REGISTER, source=source, reason=closed, failed=True)
        )
        raise Problem(Code.REGISTRATION_CLOSED)


def register(*, email: str, password: str, source: Source) -> None:
    """Begin an account; the mail tells the rest.

    Raises:
        Problem: validation_failed, rate_limited, service_unavailable; invalid_link where an invitation is needed.
    """
    if settings.REGISTRATION == "invite":
        raise accounts.refuse_link(EventType.ACCOUNT_REGISTER, source=source)
    if not email:
        raise validation_failed("email", "required", "This field is required.")
    address = accounts.demand_address(email)
    weak = accounts.event(
        EventType.ACCOUNT_REGISTER,
        source=source,
        reason=Reason.WEAK_PASSWORD,
        subject=address.account,
        failed=True,
    )
    accounts.demand_password(password, name="password", email=address.email, refused=weak)
    with accounts.mail_reserved(address, source=source) as mailed:
        encoded = passwords.hash_password(password)
    with transaction.atomic():
        known = accounts.owner_of(address)
        row = Registration.objects.create(email=address.email, email_key=address.key, password=encoded)
        token = _create_link(row, known)
        is_shut = known is not None and known.disabled_at is not None  # which no reset opens
        template = outbox.DECOY if not mailed or is_shut else "known_address" if known else "confirm"
        # To the address that the account has: the typed one may be another mailbox that folds to the same.
        outbox.queue_mail(template, to=known.email if known else address.email, token=token)
        reason = Reason.RATE_LIMITED if not mailed else Reason.KNOWN_ADDRESS if known else ""
        append(
            accounts.event(EventType.ACCOUNT_REGISTER, source=source, reason=reason, subject=address.account)
        )


def _create_link(row: Registration, known: User | None) -> MailToken:
    """What the mail carries: the confirmation or, where the address has an account, a reset of its password.

    Else who registers somebody's address again and again would use up the mails by which a reset opens a lock.
    """
    if known is None:
        return links.create_link(MailToken.Purpose.CONFIRM, registration=row)
    return links.create_link(MailToken.Purpose.RESET, user=None if known.disabled_at else known)


def confirm_registration(*, token: str, password: str, source: Source) -> PasswordProved:
    """Turn a registration into an account: whoever shows the mailed token and that registration's password.

    Raises:
        Problem: invalid_link, invalid_credentials, temporarily_locked, rate_limited or service_unavailable.
    """
    now = timezone.now()
    link = links.find_link(token, MailToken.Purpose.CONFIRM, now=now)
    if link is None or link.registration is None:
        raise accounts.refuse_link(EventType.ACCOUNT_CONFIRM, source=source)
    registration = link.registration
    address = addresses.Address(registration.email, registration.email_key)
    account = address.account
    # By the registration: what strangers guess at the address's login must not keep its owner from confirming.
    attempt = lockout.PasswordAttempt(account=addresses.account_id(registration.id), ip=source.ip)
    with refusals.limits_refused(source=source, address=address):
        reservation = lockout.reserve_password_attempt(attempt)
    try:
        proof = passwords.check_password(password, registration.password)
    except BaseException:
        lockout.release(reservation)
        raise
    answer = None
    with transaction.atomic():
        accounts.hold_registrations(address)
        settlement = lockout.settle_password_attempt(reservation, failed=not proof.matches, has_account=False)
        locks = refusals.begin_locks(settlement, source=source, subject=account)
        if not proof.matches:
            refused = accounts.event(
                EventType.ACCOUNT_CONFIRM,
                source=source,
                reason=Reason.WRONG_PASSWORD,
                subject=account,
                failed=True,
            )
            append(refused, *locks)
        elif links.spend_link(link, now=now) and (user := _create_user(registration, now)):
            locked = pending.lock_account(user.pk)
            answer, opening = pending.open_pending(locked or user, device_id="", ip=source.ip, now=now)
            confirmed = accounts.event(EventType.ACCOUNT_CONFIRM, source=source, user=user.pk)
            append(replace(confirmed, details={"login": answer.login_id}), *locks, change=opening)
        else:
            append(*locks)
    if not proof.matches:
        raise Problem(Code.INVALID_CREDENTIALS)
    if answer is None:
        raise accounts.refuse_link(EventType.ACCOUNT_CONFIRM, source=source)
    open_password(address)
    return answer


def _create_user(registration: Registration, now: datetime) -> User | None:
    """The account of a registration; None when another registration of the address was confirmed first."""
    address = addresses.Address(registration.email, registration.email_key)
    return create_account(address, password=registration.password, role=registration.role, now=now)


def create_account(address: addresses.Address, *, password: str, role: str, now: datetime) -> User | None:
    """An account whose mailbox was proved now, by the hash of its password; None when the address has one.

    Inside the caller's transaction, after which the caller opens what guesses at the address closed, by
    open_password(). All registrations of the address are dead.
    """
    accounts.hold_registrations(address)
    try:
        with transaction.atomic():
            user = User.objects.create(
                email=address.email,
                email_key=address.key,
                password=password,
                role=role,
                mailbox_proved_at=now,
            )
    except IntegrityError:
        return None
    Registration.objects.filter(email_key=address.key).delete()
    return user


def open_password(address: addresses.Address) -> None:
    """Who made an account by a mailed token opens the locks of its password, as in a reset.

    A transaction of its own: within one that settled a password, it and a login would wait for each other.
    """
    lockout.clear_after_reset(address.account)
