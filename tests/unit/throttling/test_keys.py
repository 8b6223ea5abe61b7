"""Every limit counts for a kind of key that the audit log knows, and says it without the key itself."""

import pytest

from audit.vocabulary import LimitKey
from throttling import lanes
from throttling.limiter import claim
from throttling.limits import DEFAULTS
from throttling.reservations import Claim

HERE, IPV6 = "203.0.113.1", "2001:db8:1:2::1"
KINDS = {
    "password_account_source": "account_source",
    "password_account": "account",
    "password_device": "device",
    "password_device_attempts": "device",
    "password_source": "source",
    "password_source_wide": "source_wide",
    "spraying": "source",
    "second_factor_login": "login",
    "totp_account": "account",
    "totp_consecutive": "account",
    "totp_device": "device",
    "recovery_account": "account",
    "refresh": "session",
    "mail_source": "source",
    "mail_address": "address",
    "requests": "source",
}


def claims() -> list[Claim]:
    attempts = [lanes.PasswordAttempt("a", ip, device) for ip in (HERE, IPV6) for device in (None, "d")]
    found = [one for attempt in attempts for one in lanes.password_claims(attempt, by_source=True)]
    for device in (None, "d"):
        found += lanes.second_factor_claims(login="l", user="u", device=device, totp=True)
    found += lanes.second_factor_claims(login=None, user="u", device=None, totp=False)
    found += [claim("refresh", "session:s"), claim("mail_address", "mail:a")]
    return found + [claim(purpose, f"source:{HERE}") for purpose in ("mail_source", "requests")]


@pytest.mark.parametrize("one", claims(), ids=lambda one: f"{one.limit.purpose}-{one.owner}")
def test_kind_of_a_claim_is_that_of_its_limit(one: Claim) -> None:
    assert one.kind == KINDS[one.limit.purpose]


def test_every_limit_and_every_kind_is_met() -> None:
    found = claims()
    assert {one.limit.purpose for one in found} == set(KINDS) == set(DEFAULTS)
    assert {one.kind for one in found} == set(LimitKey)
