"""Tries of the second step: reserved before a code is looked at, settled after."""

from datetime import datetime

from audit.append import NewEvent
from audit.events import Source
from secure_auth import addresses, pending, refusals, spent_devices
from secure_auth.errors import Problem
from secure_auth.models import PendingLogin, User
from throttling import lockout
from throttling.headers import forget_usage
from throttling.reservations import LimitExceeded, Reservation, Settlement

LOGIN_TRIES = "second_factor_login"


def reserve_second_step(login: PendingLogin, *, totp: bool, source: Source) -> Reservation:
    """Reserve a try of a pending login, and for TOTP one of the account.

    Raises:
        Problem: invalid_token when the login's tries are used up, temporarily_locked, rate_limited.
    """
    try:
        return reserve_code(
            login=login.id,
            user=login.user,
            device=login.device_id or None,
            totp=totp,
            source=source,
            ip=source.ip,
        )
    except Problem as problem:
        refusal = problem.__cause__
        if (
            isinstance(refusal, LimitExceeded)
            and not refusal.in_flight
            and refusal.limit.purpose == LOGIN_TRIES
        ):
            forget_usage()
            raise pending.refused_partial(source=source, user=login.user_id, login=login.id) from problem
        raise


def reserve_code(
    *,
    login: str | None,
    user: User,
    device: str | None,
    totp: bool,
    source: Source,
    session: str = "",
    ip: str = "",
) -> Reservation:
    """Reserve a check of a code as throttling.lockout.reserve_second_factor() does.

    A known device that spent its codes is forgotten, and the check goes on as from anywhere.

    Raises:
        Problem: temporarily_locked, rate_limited, service_unavailable.
    """
    with refusals.limits_refused(source=source, user=user.pk, session=session):
        try:
            return lockout.reserve_second_factor(login=login, user=user.pk, device=device, totp=totp, ip=ip)
        except LimitExceeded as refusal:
            if not spent_devices.forget_refused(refusal, source=source, user=user):
                raise
            return lockout.reserve_second_factor(login=login, user=user.pk, device=None, totp=totp, ip=ip)


def settle_wrong_code(
    reservation: Reservation, login: PendingLogin, *, source: Source, now: datetime
) -> list[NewEvent]:
    """Count a wrong code; the last one ends this login, a lock of the second step all that are under way.

    Returns the events of the locks that began.
    """
    settlement = lockout.settle_second_factor(reservation, failed=True)
    purposes = {lock.limit.purpose for lock in settlement.locked}
    if LOGIN_TRIES in purposes:
        pending.close_pending(login, now=now)
    return _consequences(settlement, user=login.user, source=source)


def count_wrong_code(reservation: Reservation, *, user: User, source: Source, session: str) -> list[NewEvent]:
    """Count a wrong code of somebody who is signed in, under the account's lock.

    Returns the events of the locks that began.
    """
    settlement = lockout.settle_second_factor(reservation, failed=True)
    return _consequences(settlement, user=user, source=source, session=session)


def _consequences(settlement: Settlement, *, user: User, source: Source, session: str = "") -> list[NewEvent]:
    locks = refusals.begin_locks(settlement, source=source, user=user.pk, session=session)
    return [*locks, *spent_devices.exhausted(settlement, source=source, user=user)]


def settle_completed_login(
    reservation: Reservation, login: PendingLogin, *, totp: bool, source: Source
) -> list[NewEvent]:
    """Settle the second factor that completes a login; clears what its two steps counted against.

    Returns the events of locks that attempts of processes that died began.
    """
    settlement = lockout.settle_completed_login(
        reservation,
        account=addresses.account_id(login.user.email_key),
        ip=login.ip,
        user=login.user_id,
        device=login.device_id or None,
        totp=totp,
    )
    return refusals.begin_locks(settlement, source=source, user=login.user_id)
