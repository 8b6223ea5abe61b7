"""The limits by purpose: their defaults and their override by environment variables.

Promises: every limit the service knows stands in ``DEFAULTS`` once; ``LIMIT_<PURPOSE>`` changes its
numbers, never its meaning. Refuses unknown purposes and unreadable values at start, naming the variable.
This module imports no Django, so that settings can be built with it.
Source: NIST SP 800-63B-4 section 3.2.2 (the cap of 100 consecutive failures); OWASP Authentication Cheat
Sheet.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

SECONDS_OF_UNIT = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}
VALUE = re.compile(
    r"(?P<allowed>[0-9]{1,9})(?:\s*(?:/|\s+per\s+)\s*(?P<number>[0-9]{0,9})\s*(?P<unit>[a-z]*))?", re.I
)
DAY = 86400


class Counts(StrEnum):
    """What a limit counts.

    ATTEMPTS: every reservation, whatever comes of it. FAILURES: reservations settled as failed or never
    settled. DISTINCT_FAILURES: the different members (accounts) among the failures.
    """

    ATTEMPTS = "attempts"
    FAILURES = "failures"
    DISTINCT_FAILURES = "distinct_failures"


@dataclass(
    frozen=True, eq=False
)  # what is remembered of a limit is looked up ten times a decision: by identity
class Limit:
    """One limit: ``allowed`` counts in any rolling ``window_seconds``.

    ``window_seconds`` 0 counts consecutively: nothing ages, only a clear resets it (or ``forget_seconds``
    without a failure, 0 = never). With ``lock_seconds`` the failure that reaches ``allowed`` starts a lock,
    which doubles each time up to ``lock_max_seconds``; after a lock the count starts anew and the doubling
    is remembered.
    """

    purpose: str
    allowed: int
    window_seconds: int
    counts: Counts
    lock_seconds: int = 0
    lock_max_seconds: int = 0
    forget_seconds: int = 0


_ALL = (
    Limit("password_account_source", 5, 0, Counts.FAILURES, 900, DAY, forget_seconds=DAY),
    Limit("password_account", 100, 0, Counts.FAILURES),
    Limit("password_device", 5, 0, Counts.FAILURES, forget_seconds=90 * DAY),
    Limit("password_device_attempts", 30, 60, Counts.ATTEMPTS),
    Limit("password_session", 30, 60, Counts.ATTEMPTS),
    Limit("second_factor_login", 5, 0, Counts.FAILURES, forget_seconds=DAY),
    Limit("totp_account", 10, 900, Counts.FAILURES),
    Limit("totp_consecutive", 100, 0, Counts.FAILURES),
    Limit("totp_device", 5, 900, Counts.FAILURES),
    Limit("totp_device_consecutive", 20, 0, Counts.FAILURES, forget_seconds=90 * DAY),
    Limit("recovery_account", 10, 900, Counts.FAILURES),
    Limit("password_source", 30, 60, Counts.ATTEMPTS),
    Limit("password_source_wide", 300, 60, Counts.ATTEMPTS),
    Limit("spraying", 20, 600, Counts.DISTINCT_FAILURES),
    Limit("refresh", 60, 60, Counts.ATTEMPTS),
    Limit("mail_source", 5, 3600, Counts.ATTEMPTS),
    Limit("mail_source_wide", 50, 3600, Counts.ATTEMPTS),
    Limit("mail_address", 3, 3600, Counts.ATTEMPTS),
    Limit("personal_export", 1, 60, Counts.ATTEMPTS),
    Limit("requests", 600, 60, Counts.ATTEMPTS),
)
# What a count of each limit is kept for, without saying for which one. A source is an IPv4 address or an IPv6 /64, a
# wide one an IPv6 /48, or the known devices at a source; an address is one that mails go to.
WIDE_KIND = "source_wide"
KEY_KINDS = {
    "password_account_source": "account_source",
    "password_account": "account",
    "password_device": "device",
    "password_device_attempts": "account",
    "password_session": "session",
    "second_factor_login": "login",
    "totp_account": "account",
    "totp_consecutive": "account",
    "totp_device": "device",
    "totp_device_consecutive": "device",
    "recovery_account": "account",
    "password_source": "source",
    "password_source_wide": WIDE_KIND,
    "spraying": "source",
    "refresh": "session",
    "mail_source": "source",
    "mail_source_wide": WIDE_KIND,
    "mail_address": "address",
    "personal_export": "account",
    "requests": "source",
}
DEFAULTS: dict[str, Limit] = {limit.purpose: limit for limit in _ALL}
WIDE = {"password_source_wide": "password_source", "mail_source_wide": "mail_source"}


def limits_from_env(env: Mapping[str, str]) -> dict[str, Limit]:
    """Return every limit by purpose, with the overrides in ``env``.

    ``LIMIT_<PURPOSE>`` is ``N``, ``N/SECONDS``, ``N/min``, ``N/15 min`` or ``N per h``. The duration is the
    window; for a limit that locks it is the first lock. A wide source that is not overridden has ten times what its
    sources have. Raises ValueError naming the variable.
    """
    limits = dict(DEFAULTS)
    for name, value in env.items():
        if not name.startswith("LIMIT_") or not value.strip():
            continue
        purpose = name.removeprefix("LIMIT_").lower()
        if purpose not in limits:
            raise ValueError(f"{name}: there is no limit of this name; known are {', '.join(DEFAULTS)}")
        try:
            limits[purpose] = _override(limits[purpose], value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    for wide, of in WIDE.items():
        if limits[wide] is DEFAULTS[wide] and limits[of] is not DEFAULTS[of]:
            limits[wide] = replace(limits[of], purpose=wide, allowed=10 * limits[of].allowed)
    return limits


def _override(limit: Limit, value: str) -> Limit:
    match = VALUE.fullmatch(value.strip())
    if match is None or int(match["allowed"]) < 1:
        raise ValueError(f"expected N, N/SECONDS, N/min or N per h with N at least 1, got {value!r}")
    limit = replace(limit, allowed=int(match["allowed"]))
    if not match["number"] and not match["unit"]:
        if not value.strip().isdigit():
            raise ValueError(f"a duration is missing in {value!r}")
        return limit
    seconds = _seconds(match["number"] or "", match["unit"] or "")
    if limit.lock_seconds:
        return replace(limit, lock_seconds=seconds, lock_max_seconds=max(seconds, limit.lock_max_seconds))
    if not limit.window_seconds:
        raise ValueError("this limit counts consecutively and takes no duration")
    return replace(limit, window_seconds=seconds)


def _seconds(number: str, unit: str) -> int:
    name = unit.lower()
    factor = SECONDS_OF_UNIT.get(name, SECONDS_OF_UNIT.get(name.removesuffix("s"))) if name else 1
    seconds = int(number or 1) * (factor or 0)
    if not 1 <= seconds <= 366 * DAY:
        raise ValueError(f"a duration is between one second and a year, got {number + unit!r}")
    return seconds
