"""Lanes: which limits guard which attempt, and what clears them (the table of docs/throttling.md).

A stranger's failures lock an account at the stranger's source; a known device has a lane of its own, in
which nobody else's failures count; failures of the second step lock the second step only. Unknown accounts
are limited like known ones, since an account is whatever opaque id the typed identifier maps to.
Source: NIST SP 800-63B-4 section 3.2.2; OWASP "Slow Down Online Guessing Attacks with Device Cookies".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from throttling.address import source_key, wide_source_key
from throttling.limiter import claim
from throttling.reservations import Claim, Clear, Reservation

PASSWORD_PURPOSES = ("password_account", "password_account_source")
PASSWORD_LOCKS = (*PASSWORD_PURPOSES, "password_device")  # not `spraying`, which locks no account
LOGIN_TRIES = "second_factor_login"
TOTP_PURPOSES = ("totp_account", "totp_consecutive")
TOTP_DEVICE_PURPOSES = ("totp_device", "totp_device_consecutive")
NOBODY_SECONDS = 90 * 86400  # without a failure; then what never ages is forgotten where there is no account


@dataclass(frozen=True)
class PasswordAttempt:
    """One password about to be checked. ``device``: id of a device known for this account, already
    verified. ``session``: id of the session of someone who is signed in.
    """

    account: str
    ip: str
    device: str | None = None
    session: str = ""

    @property
    def lane(self) -> str:
        """What its failures count for beside the account: the device, or else the source."""
        return f"device:{self.device}" if self.device else source_key(self.ip)


def spraying_owner(source: str) -> str:
    """The owner of what a source's failures count for: settled with the evidence, so in the database always."""
    return f"spraying:{source}"


def devices_owner(ip: str) -> str:
    """The owner of what known devices at a source try, of IPv6 in its /48; nobody without a device can spend it."""
    return f"devices:{wide_source_key(ip) or source_key(ip)}"


def password_claims(attempt: PasswordAttempt) -> tuple[Claim, ...]:
    """Claims of one password check: for someone who is signed in of the account only."""
    if attempt.device:
        return (
            claim("password_device", f"device:{attempt.device}", attempt.account),
            # The account's: with a rate for each device, whoever has many could make the service hash without end.
            claim("password_device_attempts", f"account:{attempt.account}"),
            # Nor may whoever has many accounts.
            claim("password_source_wide", devices_owner(attempt.ip)),
        )
    account, source, wide = f"account:{attempt.account}", source_key(attempt.ip), wide_source_key(attempt.ip)
    claims = [claim("password_account_source", account, source), claim("password_account", account)]
    if attempt.session:
        # Of right ones too, or any account could keep a node hashing; not the account's, or a thief could spend it.
        return (*claims, claim("password_session", account, attempt.session))
    claims.append(claim("password_source", f"source:{source}"))
    claims.append(claim("spraying", spraying_owner(source), member=attempt.account))
    if wide:
        claims.append(claim("password_source_wide", f"source:{wide}"))
    return tuple(claims)


def of_nobody(reservation: Reservation) -> Reservation:
    """A password check of an address without an account, to be settled: inventing addresses fills no table for good.

    Nothing else differs: nobody can tell by it that there is no account. The next failure of an account of this address
    makes its count one that never ages.
    """
    parts = [part._replace(claims=tuple(map(_ageing, part.claims))) for part in reservation.parts]
    return reservation._replace(parts=tuple(parts))


def _ageing(one: Claim) -> Claim:
    if one.limit.window_seconds or one.limit.forget_seconds:
        return one
    return one._replace(limit=replace(one.limit, forget_seconds=NOBODY_SECONDS))


def second_factor_claims(
    *, login: str | None, user: str, device: str | None, totp: bool
) -> tuple[Claim, ...]:
    """Claims of one check of a second factor: of a pending login, or of a user who proves it again."""
    claims = [claim(LOGIN_TRIES, f"login:{login}")] if login else []
    if totp:
        return (*claims, *totp_claims(user, device))
    return tuple(claims) or (claim("recovery_account", f"account:{user}"),)


def totp_claims(user: str, device: str | None) -> tuple[Claim, ...]:
    """Claims of one TOTP code."""
    if device:
        return tuple(claim(purpose, f"device:{device}", user) for purpose in TOTP_DEVICE_PURPOSES)
    return (claim("totp_account", f"account:{user}"), claim("totp_consecutive", f"account:{user}"))


def login_clears(*, account: str, user: str, ip: str, device: str | None, totp: bool) -> tuple[Clear, ...]:
    """What a completed login clears. ``totp`` False (another second factor) clears the TOTP window too."""
    clears = [
        Clear(f"account:{account}", ("password_account",), ""),
        Clear(f"account:{account}", ("password_account_source",), source_key(ip)),
        Clear(f"account:{user}", ("totp_consecutive",) if totp else ("totp_consecutive", "totp_account"), ""),
    ]
    if device:
        codes = ("totp_device_consecutive",) if totp else TOTP_DEVICE_PURPOSES
        clears.append(Clear(f"device:{device}", ("password_device", *codes)))
    return tuple(clears)


def recovery_clears(user: str, device: str) -> tuple[Clear, ...]:
    """What another second factor clears where it completes no login: the locks of TOTP, on this device too."""
    clears = (Clear(f"account:{user}", TOTP_PURPOSES, ""),)
    return (*clears, Clear(f"device:{device}", TOTP_DEVICE_PURPOSES)) if device else clears


def row_clears(claims: Iterable[Claim]) -> tuple[Clear, ...]:
    """What a right answer clears of what it was claimed on: wrong passkeys of one session count in a row."""
    return tuple(
        Clear(one.owner, (LOGIN_TRIES,), one.key) for one in claims if one.limit.purpose == LOGIN_TRIES
    )


def reset_clears(account: str) -> tuple[Clear, ...]:
    """What a completed mailed reset clears: the password's locks from everywhere, never the second step's."""
    return (Clear(f"account:{account}", PASSWORD_PURPOSES),)


def unlock_clears(account: str, user: str, devices: Iterable[str]) -> tuple[Clear, ...]:
    """What an operator's unlock clears: every lock of the account, of both steps, and of its known devices; without a
    user there is no second step.
    """
    second = [Clear(f"account:{user}", (*TOTP_PURPOSES, "recovery_account"))] if user else []
    lanes = [Clear(f"device:{device}", ("password_device", *TOTP_DEVICE_PURPOSES)) for device in devices]
    return (*reset_clears(account), *second, *lanes)


def source_clears(ip: str) -> tuple[Clear, ...]:
    """What an operator's reset of a source clears: its limits of the password step, and its /48's."""
    source, wide = source_key(ip), wide_source_key(ip)
    clears = (
        Clear(f"source:{source}", ("password_source",)),
        Clear(spraying_owner(source), ("spraying",)),
        Clear(devices_owner(ip), ("password_source_wide",)),
    )
    return (*clears, Clear(f"source:{wide}", ("password_source_wide",))) if wide else clears
