"""Passwords guessed at the lockout's own door, from three sources."""

from throttling import inspection, lanes, lockout
from throttling.lockout import PasswordAttempt
from throttling.reservations import Settlement

HERE, ELSEWHERE, IPV6 = "203.0.113.1", "203.0.113.2", "2001:db8:1:2::1"


def guess(
    account: str, ip: str = HERE, *, device: str | None = None, failed: bool = True, session: str = ""
) -> Settlement:
    """One password that is evaluated: wrong, unless said otherwise."""
    attempt = PasswordAttempt(account, ip, device, session)
    reservation = lockout.reserve_password_attempt(attempt)
    return lockout.settle_password_attempt(reservation, failed=failed)


def guess_often(times: int, account: str, ip: str = HERE, *, device: str | None = None) -> list[Settlement]:
    """Wrong ones, one after the other."""
    return [guess(account, ip, device=device) for _ in range(times)]


def is_second_step_locked(user: str, device: str | None) -> bool:
    """Whether no further TOTP code of this user is evaluated now, from this device."""
    return any(inspection.look(*lanes.totp_claims(user, device)))
