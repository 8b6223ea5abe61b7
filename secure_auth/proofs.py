"""Comparing a password under a reservation: what login, reauthentication and password change share."""

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import addresses, devices, passwords, refusals, rows
from secure_auth.errors import Code, Problem
from secure_auth.models import Session, User
from throttling import lockout
from throttling.reservations import Reservation, Settlement

FIND_ACCOUNT = "SELECT {columns} FROM secure_auth_user WHERE email_key = %s"


def check_reserved(
    reservation: Reservation, *, email_key: str, password: str, known: User | None = None
) -> tuple[User | None, passwords.Proof]:
    """Read the account and compare the password, outside any transaction; gives the reservation back if it cannot.

    `known` is the account where it was read already: a change of it since then shows under its lock.
    """
    try:
        find = FIND_ACCOUNT.format(columns=rows.columns(User))
        user = known or rows.fetch_row(User, find, [email_key])
        return user, passwords.check_password(password, user.password if user else None)
    except BaseException:
        lockout.release(reservation)
        raise


def upgrade_hash(user: User, proof: passwords.Proof) -> None:
    """Replace an older or weaker hash, under the account's lock."""
    if proof.upgraded:
        User.objects.filter(pk=user.pk).update(password=proof.upgraded)


def prove_current_password(*, user: User, session: Session, password: str, source: Source) -> User:
    """Compare the password of somebody who is signed in; a wrong one counts like one at login.

    Returns the account as it was read before the hash was computed.

    Raises:
        Problem: invalid_credentials, temporarily_locked or service_unavailable.
    """
    account = addresses.account_id(user.email_key)
    device_id = devices.lane_of(session, now=timezone.now())
    attempt = lockout.PasswordAttempt(account=account, ip=source.ip, device=device_id)
    with refusals.limits_refused(source=source, user=user.pk, session=session.id):
        reservation = lockout.reserve_password_attempt(attempt, by_source=False)
    checked, proof = check_reserved(reservation, email_key=user.email_key, password=password)
    with transaction.atomic():
        settlement = lockout.settle_password_attempt(reservation, failed=not proof.matches)
        if not proof.matches:
            event = NewEvent(
                type=EventType.REAUTHENTICATION,
                outcome=Outcome.FAILURE,
                reason=Reason.WRONG_PASSWORD,
                source=source,
                user=user.pk,
                session=session.id,
                details={"method": "password"},
            )
            append(event, *refusals.lock_events(settlement, source=source, user=user.pk))
    if not proof.matches or checked is None:
        forget_exhausted_device(settlement, device_id or "", source=source, user=user)
        raise Problem(Code.INVALID_CREDENTIALS)
    return checked


def forget_exhausted_device(
    settlement: Settlement, device_id: str, *, source: Source, user: User | None
) -> None:
    """A known device that spent its budget is forgotten: whoever holds it may be guessing."""
    if user is None or not any(lock.limit.purpose == "password_device" for lock in settlement.locked):
        return
    with transaction.atomic():
        devices.forget_devices(user.pk, device_id=device_id, now=timezone.now())
        append(
            NewEvent(
                type=EventType.DEVICE_FORGET,
                outcome=Outcome.SUCCESS,
                reason=Reason.TOO_MANY_FAILURES,
                source=source,
                user=user.pk,
                details={"device": device_id},
            )
        )
