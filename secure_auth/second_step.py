"""Tries of the second step: reserved before a code is looked at, settled after."""

from datetime import datetime

from audit.append import NewEvent
from audit.events import Source
from secure_auth import addresses, pending, refusals
from secure_auth.errors import Problem
from secure_auth.models import PendingLogin
from throttling import lockout
from throttling.headers import forget_usage
from throttling.reservations import LimitExceeded, Reservation

LOGIN_TRIES = "second_factor_login"


def reserve_second_step(login: PendingLogin, *, totp: bool, source: Source) -> Reservation:
    """Reserve a try of a pending login, and for TOTP one of the account.

    Raises:
        Problem: invalid_token when the login's tries are used up, temporarily_locked, rate_limited.
    """
    try:
        with refusals.limits_refused(source=source, user=login.user_id):
            return lockout.reserve_second_factor(
                login=login.id,
                user=login.user_id,
                device=login.device_id or None,
                totp=totp,
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
            raise pending.dead_partial(source=source, user=login.user_id, login=login.id) from problem
        raise


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
    return refusals.begin_locks(settlement, source=source, user=login.user_id)


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
