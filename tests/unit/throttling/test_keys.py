"""Every limit counts for a kind of key that the audit log knows, and says it without the key itself."""

import pytest

from audit.vocabulary import LimitKey
from throttling import lanes
from throttling.limiter import claim
from throttling.limits import DEFAULTS, KEY_KINDS
from throttling.reservations import Claim

HERE, IPV6 = "203.0.113.1", "2001:db8:1:2::1"


def claims() -> list[Claim]:
    attempts = [lanes.PasswordAttempt("a", ip, device) for ip in (HERE, IPV6) for device in (None, "d")]
    found = [one for attempt in attempts for one in lanes.password_claims(attempt)]
    for device in (None, "d"):
        found += lanes.second_factor_claims(login="l", user="u", device=device, totp=True)
    found += lanes.second_factor_claims(login=None, user="u", device=None, totp=False)
    return found


@pytest.mark.parametrize("one", claims(), ids=lambda one: f"{one.limit.purpose}-{one.owner}")
def test_kind_of_a_claim_is_that_of_its_owner(one: Claim) -> None:
    prefix, _, name = one.owner.partition(":")
    owned = {
        "account": "account_source" if one.key else "account",
        "spraying": "source",
        "devices": "source_wide",
    }.get(prefix, prefix)
    assert one.kind == ("source_wide" if name.endswith("/48") else owned)


def test_every_limit_has_a_kind_and_every_kind_is_known_to_the_log() -> None:
    assert set(KEY_KINDS) == set(DEFAULTS)
    assert set(KEY_KINDS.values()) == set(LimitKey)
    assert claim("mail_source", f"mail:{HERE}").kind == "source"
    assert claim("mail_source_wide", "mail:2001:db8:1::/48").kind == "source_wide"
    assert claim("mail_address", "mail:a").kind == "address"


def test_devices_of_a_wide_source_share_one_owner() -> None:
    """Whoever has a /48 has 65536 of its /64s."""
    assert lanes.devices_owner(IPV6) == lanes.devices_owner("2001:db8:1:ffff::1")
    assert len({lanes.devices_owner(ip) for ip in (HERE, "203.0.113.2", IPV6, "2001:db8:2::1")}) == 4
