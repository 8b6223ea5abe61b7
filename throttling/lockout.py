"""The lockout: the only door to django-axes, and the limiter as use cases speak to it.

Promises: a password attempt is reserved before its hash is computed, through the handler that
``AXES_HANDLER`` names; a handler that leaves no reservation behind allows nothing. Call ``reserve_*``
outside any transaction; ``settle_*`` and ``clear_*`` inside the one that records the outcome, once, after
the account's row is locked. All raise StoreUnavailable; ``reserve_*`` raise LimitExceeded too.
"""

import logging
from collections.abc import Iterable
from typing import Any

from axes.handlers.base import AxesHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.signals import user_locked_out
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest

from throttling import inspection, lanes, limiter, metrics, resets
from throttling.address import source_key, source_owner, wide_source_key
from throttling.headers import withdraw_usage
from throttling.lanes import PasswordAttempt
from throttling.limiter import claim
from throttling.limits import Counts
from throttling.reservations import Claim, Clear, LimitExceeded, Reservation, Settlement, StoreUnavailable
from throttling.stores.refusal_memory import check
from throttling.waiting import reserve_waiting

__all__ = ["PasswordAttempt", "ReservingHandler", "Settlement"]
logger = logging.getLogger(__name__)


class AttemptRequest(HttpRequest):
    """What the axes handler is asked with, and where it leaves its answer."""

    def __init__(
        self, claims: tuple[Claim, ...], account: str, ip: str, reservation: Reservation | None = None
    ):
        super().__init__()
        self.META["REMOTE_ADDR"] = ip
        self.credentials = {"username": account}
        self.claims = claims
        self.reservation = reservation
        self.refusal: LimitExceeded | None = None
        self.settlement: Settlement | None = None


class ReservingHandler(AxesHandler):
    """The axes handler of this service. A plain request is judged by its username and peer, as an unknown
    device.
    """

    def is_allowed(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        try:
            request.reservation = reserve_waiting(*_claims_of(request, credentials))
        except LimitExceeded as refusal:
            request.refusal = refusal
            return False
        return True

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        return any(inspection.look(*_of_account(_claims_of(request, credentials))))

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        buckets = {one.bucket for one in _of_account(_claims_of(request, credentials))}
        found = [one for owner in {bucket[0] for bucket in buckets} for one in inspection.status(owner)]
        return max((one.used for one in found if (one.owner, one.purpose, one.key) in buckets), default=0)

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        reservation = getattr(request, "reservation", None)
        if reservation is None:
            return
        request.settlement = limiter.settle(reservation, failed=True)
        if any(one.limit.purpose in lanes.PASSWORD_LOCKS for one in request.settlement.locked):
            _tell_receivers(request, credentials.get("username"), request.META["REMOTE_ADDR"])

    def user_logged_in(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        if reservation := getattr(request, "reservation", None):
            limiter.settle(reservation, failed=False)

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        """Lift the password's locks of an account (``username`` is its opaque id), at a source, of an account
        at a source or (``ip_or_username``) of both, or of all accounts. Returns how many buckets held something.
        """
        if username is None:
            return resets.reset_all() if ip_address is None else resets.reset_source(ip_address)
        if ip_address is not None and ip_or_username:
            return resets.reset_account(username) + resets.reset_source(ip_address)
        return resets.reset_account(username, ip_address)


def _tell_receivers(request: Any, username: str | None, ip: str) -> None:
    """Send ``user_locked_out``. A project's receiver that fails takes what receivers wrote along, and nothing else:
    else the lock would go with it, and the evidence of the guess. Django logs the error; one of the database that a
    receiver kept to itself shows at the end, where PostgreSQL has given their part of the transaction up.
    """
    try:
        with transaction.atomic():
            told = user_locked_out.send_robust("axes", request=request, username=username, ip_address=ip)
            if any(isinstance(answer, Exception) for _, answer in told):
                transaction.set_rollback(True)
    except DatabaseError:
        if connection.needs_rollback:  # the connection is gone, and all with it
            raise
        logger.exception("a receiver of user_locked_out left an error of the database behind")


def reserve_password_attempt(attempt: PasswordAttempt) -> Reservation:
    """Reserve one password check."""
    claims = lanes.password_claims(attempt)
    request = AttemptRequest(claims, attempt.account, attempt.ip)
    allowed = AxesProxyHandler.is_allowed(request, request.credentials)
    if request.refusal:
        raise request.refusal
    if not allowed or request.reservation is None:
        raise StoreUnavailable("the handler named by AXES_HANDLER reserves nothing")
    return request.reservation


def reserve_proved_attempt(attempt: PasswordAttempt) -> Reservation:
    """Count an attempt whose password another one proved at the same time: nothing is guessed, only rates apply."""
    rates = [one for one in lanes.password_claims(attempt) if one.limit.counts is Counts.ATTEMPTS]
    return limiter.reserve(*rates)


def settle_password_attempt(
    reservation: Reservation, *, failed: bool, has_account: bool = True
) -> Settlement:
    """Settle a password check; a lock that begins sends axes' ``user_locked_out`` with the account's opaque
    id. ``has_account`` False: nobody has the address, and its counts are forgotten some day.
    """
    if not failed:
        return limiter.settle(reservation, failed=False)
    reservation = reservation if has_account else lanes.of_nobody(reservation)
    owner, key = next(((one.owner, one.key) for one in reservation.claims if one.key), ("", ""))
    account, ip = (
        (key, "") if owner.startswith("device:") else (owner.removeprefix("account:"), key.partition("/")[0])
    )
    request = AttemptRequest((), account, ip, reservation)
    AxesProxyHandler.user_login_failed(sender="throttling", credentials=request.credentials, request=request)
    if request.settlement is None:
        raise StoreUnavailable("the handler named by AXES_HANDLER settled nothing")
    return request.settlement


def reserve_second_factor(
    *, login: str | None, user: str, device: str | None, totp: bool, ip: str = ""
) -> Reservation:
    """Reserve one check of a second factor: of a pending login, or of ``user`` who proves it again.

    ``ip`` counts the request against its source in the same decision.
    """
    claims = lanes.second_factor_claims(login=login, user=user, device=device, totp=totp)
    return reserve_waiting(*claims, *([claim("requests", source_owner(ip))] if ip else []))


def tell_locks(refusal: LimitExceeded) -> Settlement:
    """Take up the locks that expired reservations began and a refusal found; inside the transaction that records
    them.
    """
    return limiter.tell(refusal)


def settle_second_factor(
    reservation: Reservation, *, failed: bool, recovered: str = "", device: str = ""
) -> Settlement:
    """Settle a second factor that completes no login. A factor other than TOTP opens the TOTP locks of the user whom
    ``recovered`` names, and of the known ``device`` that it was shown from; it ends the row of
    wrong ones of its session.
    """
    clears: tuple[Clear, ...] = ()
    if recovered:
        clears = (*lanes.recovery_clears(recovered, device), *lanes.row_clears(reservation.claims))
    return limiter.settle(reservation, failed=failed, clear=clears)


def settle_completed_login(
    reservation: Reservation,
    *,
    account: str,
    user: str,
    ip: str,
    device: str | None = None,
    totp: bool = True,
) -> Settlement:
    """Settle the second factor that completes a login and clear what a login clears, in one statement."""
    clears = lanes.login_clears(account=account, user=user, ip=ip, device=device, totp=totp)
    return limiter.settle(reservation, failed=False, clear=clears)


def clear_after_reset(account: str) -> None:
    """Open the password's locks of an account, from everywhere."""
    limiter.clear_all(lanes.reset_clears(account))


def reset(*, account: str | None = None, ip: str | None = None) -> int:
    """What ``axes.utils.reset`` does, through the configured handler."""
    return int(AxesProxyHandler.reset_attempts(username=account, ip_address=ip))


def unlock(account: str, user: str, *, devices: Iterable[str] = ()) -> None:
    """Open every lock of an account, of both steps, and of its known ``devices``."""
    limiter.clear_all(lanes.unlock_clears(account, user, devices))


def reserve_refresh(*, session: str | None, ip: str) -> Reservation:
    """Count one refresh of a session, and the request against its source, in one decision."""
    requests = claim("requests", source_owner(ip))
    return limiter.reserve(requests, *([claim("refresh", f"session:{session}")] if session else []))


def reserve_request(ip: str) -> Reservation:
    """Count one request of a source."""
    return limiter.reserve(claim("requests", source_owner(ip)))


def refuse_request_again(ip: str) -> None:
    """Refuse a source that was refused its requests a moment ago, asking no store."""
    try:
        check([claim("requests", source_owner(ip))])
    except LimitExceeded as refusal:
        metrics.count_refused(refusal)
        raise


def reserve_mail_source(ip: str) -> Reservation:
    """Count one mail that a source asked for."""
    wide = wide_source_key(ip)
    of_network = [claim("mail_source_wide", f"mail:{wide}")] if wide else []
    return limiter.reserve(claim("mail_source", f"mail:{source_key(ip)}"), *of_network)


def reserve_mail_address(account: str) -> Reservation:
    """Count one mail to an address, by its opaque id."""
    return limiter.reserve(claim("mail_address", f"mail:{account}"))


def reserve_personal_export(user: str) -> Reservation:
    """Count one copy of what is known about an account."""
    return limiter.reserve(claim("personal_export", f"account:{user}"))


def release(reservation: Reservation) -> None:
    """Undo a reservation under which nothing was evaluated; its request counts like one without a limit of its own."""
    limiter.release(reservation)
    withdraw_usage(reservation.usage)


def _claims_of(request: Any, credentials: dict[str, Any] | None) -> tuple[Claim, ...]:
    if isinstance(request, AttemptRequest):
        return request.claims
    username = str((credentials or {}).get("username", ""))
    attempt = PasswordAttempt(username, request.META.get("REMOTE_ADDR", ""))
    return lanes.password_claims(attempt)


def _of_account(claims: tuple[Claim, ...]) -> list[Claim]:
    return [one for one in claims if one.owner.startswith(("account:", "device:"))]
