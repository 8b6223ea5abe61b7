"""Limits and their override by environment variables."""

import pytest

from throttling.limits import DEFAULTS, WIDE, Counts, limits_from_env


def test_defaults_are_those_of_the_documentation() -> None:
    rows = {
        limit.purpose: (limit.allowed, limit.window_seconds, limit.lock_seconds)
        for limit in DEFAULTS.values()
    }
    assert rows["password_account_source"] == (5, 0, 900)
    assert rows["password_account"] == (100, 0, 0)
    assert rows["spraying"] == (20, 600, 0)
    assert rows["requests"] == (600, 60, 0)
    assert DEFAULTS["spraying"].counts is Counts.DISTINCT_FAILURES
    assert limits_from_env({"PATH": "/bin"}) == DEFAULTS


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", (7, 60)),
        ("7/120", (7, 120)),
        ("7/min", (7, 60)),
        ("7/h", (7, 3600)),
        ("7 per min", (7, 60)),
        ("7 per 15 minutes", (7, 900)),
        (" 7 / 2 hours ", (7, 7200)),
        ("7/30s", (7, 30)),
    ],
)
def test_override(value: str, expected: tuple[int, int]) -> None:
    limit = limits_from_env({"LIMIT_REQUESTS": value})["requests"]
    assert (limit.allowed, limit.window_seconds) == expected


def test_duration_of_a_locking_limit_is_its_first_lock() -> None:
    limit = limits_from_env({"LIMIT_PASSWORD_ACCOUNT_SOURCE": "3/2h"})["password_account_source"]
    assert (limit.allowed, limit.lock_seconds, limit.lock_max_seconds) == (3, 7200, 86400)


@pytest.mark.parametrize(
    "value", ["0", "-1", "x", "7/", "7/0", "7/fortnight", "7 per", "1e3", "7/400d", "\u0667"]
)
def test_bad_value_names_the_variable(value: str) -> None:
    with pytest.raises(ValueError, match="LIMIT_REQUESTS"):
        limits_from_env({"LIMIT_REQUESTS": value})


def test_consecutive_limit_takes_no_duration() -> None:
    with pytest.raises(ValueError, match="LIMIT_PASSWORD_ACCOUNT"):
        limits_from_env({"LIMIT_PASSWORD_ACCOUNT": "50/h"})


def test_unknown_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="LIMIT_LOGIN"):
        limits_from_env({"LIMIT_LOGIN": "5"})


def test_wide_source_has_ten_times_what_its_sources_have() -> None:
    limits = limits_from_env(
        {"LIMIT_PASSWORD_SOURCE": "7/h", "LIMIT_MAIL_SOURCE": "7", "LIMIT_MAIL_SOURCE_WIDE": "9"}
    )
    wide = limits["password_source_wide"]
    assert (wide.purpose, wide.allowed, wide.window_seconds) == ("password_source_wide", 70, 3600)
    assert limits["mail_source_wide"].allowed == 9
    assert all(limits_from_env({})[name].allowed == 10 * DEFAULTS[of].allowed for name, of in WIDE.items())
