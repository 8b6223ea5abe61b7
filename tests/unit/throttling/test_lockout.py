"""Lanes and the axes handler: who is locked out by whose failures."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from axes.handlers.proxy import AxesProxyHandler
from axes.signals import user_locked_out
from axes.utils import reset
from django.conf import settings
from django.http import HttpRequest
from django.test import override_settings

from tests.unit.throttling.conftest import only
from tests.unit.throttling.guesses import ELSEWHERE, HERE, guess, is_second_step_locked
from throttling import lockout
from throttling.lockout import PasswordAttempt
from throttling.reservations import LimitExceeded, Settlement, StoreUnavailable

pytestmark = [only("sqlite", "postgres"), pytest.mark.usefixtures("fresh_sources")]


def refused_by(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(LimitExceeded) as refusal:
        call(*args, **kwargs)
    return refusal.value.limit.purpose


def wrong_code(login: str, user: str, device: str | None = None, *, totp: bool = True) -> Settlement:
    reservation = lockout.reserve_second_factor(login=login, user=user, device=device, totp=totp)
    return lockout.settle_second_factor(reservation, failed=True)


def test_five_wrong_passwords_lock_account_and_source(account: str) -> None:
    settlements = [guess(account) for _ in range(5)]
    assert [bool(one.locked) for one in settlements] == [False] * 4 + [True]
    assert refused_by(guess, account) == "password_account_source"
    assert refused_by(guess, account, session="s") == "password_account_source"
    guess(account, ELSEWHERE, failed=False)


def test_known_device_stays_open_and_has_its_own_budget(account: str) -> None:
    for _ in range(5):
        guess(account)
    settlements = [guess(account, device=f"dev-{account}") for _ in range(5)]
    assert [one.limit.purpose for one in settlements[-1].locked] == ["password_device"]
    assert refused_by(guess, account, device=f"dev-{account}") == "password_device"


def test_cap_of_100_binds_everywhere_but_known_devices(account: str) -> None:
    for number in range(100):
        guess(account, f"198.51.100.{number}")
    assert refused_by(guess, account, "198.51.100.200") == "password_account"
    guess(account, device=f"dev-{account}", failed=False)
    lockout.clear_after_reset(account)
    guess(account, "198.51.100.200", failed=False)


def test_spraying_locks_the_source(account: str) -> None:
    for number in range(20):
        guess(f"{account}-{number}")
    assert refused_by(guess, f"{account}-new") == "spraying"
    guess(f"{account}-new", ELSEWHERE, failed=False)


def test_password_step_is_limited_by_source_and_by_wide_source(account: str) -> None:
    for _ in range(30):
        guess(account, failed=False)
    assert refused_by(guess, account) == "password_source"
    for number in range(300):
        guess(account, f"2001:db8:7:{number // 30:x}::{number:x}", failed=False)
    assert refused_by(guess, account, "2001:db8:7:ffff::1") == "password_source_wide"
    lockout.reset(ip="2001:db8:7:ffff::1")
    guess(account, "2001:db8:7:ffff::1", failed=False)


def test_devices_of_a_source_share_a_rate_that_a_reset_of_the_source_clears(account: str) -> None:
    few = replace(settings.LIMITS["password_source_wide"], allowed=3)
    with override_settings(LIMITS={**settings.LIMITS, "password_source_wide": few}):
        for number in range(3):
            guess(f"{account}-{number}", device=f"dev-{account}-{number}", failed=False)
        assert refused_by(guess, account, device=f"dev-{account}") == "password_source_wide"
        lockout.reset(ip=HERE)
        guess(account, device=f"dev-{account}", failed=False)


def test_completed_login_clears_its_source_only(account: str) -> None:
    for ip in (HERE, ELSEWHERE):
        for _ in range(5):
            guess(account, ip)
    reservation = lockout.reserve_second_factor(login=f"l-{account}", user=account, device=None, totp=True)
    lockout.settle_completed_login(reservation, account=account, user=account, ip=HERE)
    guess(account, HERE)
    assert refused_by(guess, account, ELSEWHERE) == "password_account_source"


def test_pending_login_dies_after_five_wrong_codes(account: str) -> None:
    for _ in range(5):
        settlement = wrong_code(f"l-{account}", account, totp=False)
    assert [one.limit.purpose for one in settlement.locked] == ["second_factor_login"]
    assert refused_by(wrong_code, f"l-{account}", account, totp=False) == "second_factor_login"


def test_second_step_locks_by_account_and_leaves_device_and_recovery_open(account: str) -> None:
    for number in range(10):
        wrong_code(f"{number}-{account}", account)
    assert is_second_step_locked(account, None)
    assert not is_second_step_locked(account, f"dev-{account}")
    assert refused_by(wrong_code, f"new-{account}", account) == "totp_account"
    guess(account, failed=False)
    lockout.clear_after_reset(account)
    assert is_second_step_locked(account, None)
    reservation = lockout.reserve_second_factor(login=f"new-{account}", user=account, device=None, totp=False)
    lockout.settle_completed_login(reservation, account=account, user=account, ip=HERE, totp=False)
    assert not is_second_step_locked(account, None)


def complete_with_code(account: str, device: str | None = None) -> None:
    reservation = lockout.reserve_second_factor(login=f"l-{account}", user=account, device=device, totp=True)
    lockout.settle_completed_login(reservation, account=account, user=account, ip=HERE, device=device)


def test_login_that_is_completed_on_a_device_clears_its_wrong_passwords(account: str) -> None:
    for _ in range(2):
        assert not any(guess(account, device=f"dev-{account}").locked for _ in range(4))
        complete_with_code(account, f"dev-{account}")


@pytest.mark.parametrize(
    ("is_device", "allowed", "purpose"), [(False, 10, "totp_account"), (True, 5, "totp_device")]
)
def test_right_code_gives_no_wrong_ones_back(
    account: str, is_device: bool, allowed: int, purpose: str
) -> None:
    device = f"dev-{account}" if is_device else None
    for number in range(allowed - 1):
        wrong_code(f"{number}-{account}", account, device)
    complete_with_code(account, device)
    wrong_code(f"last-{account}", account, device)
    assert refused_by(wrong_code, f"new-{account}", account, device) == purpose


def test_unlock_opens_both_steps(account: str) -> None:
    for number in range(10):
        wrong_code(f"{number}-{account}", account)
        if number < 5:
            guess(account)
    lockout.unlock(account, account)
    assert not is_second_step_locked(account, None)
    guess(account)


def test_recovery_codes_at_reauthentication_have_a_budget(account: str) -> None:
    for _ in range(10):
        reservation = lockout.reserve_second_factor(login=None, user=account, device=None, totp=False)
        lockout.settle_second_factor(reservation, failed=True)
    assert (
        refused_by(lockout.reserve_second_factor, login=None, user=account, device=None, totp=False)
        == "recovery_account"
    )
    lockout.unlock(account, account)
    lockout.reserve_second_factor(login=None, user=account, device=None, totp=False)


def test_mail_and_refresh_budgets(account: str) -> None:
    for _ in range(3):
        lockout.reserve_mail_address(account)
    assert refused_by(lockout.reserve_mail_address, account) == "mail_address"
    for _ in range(60):
        reservation = lockout.reserve_refresh(session=account, ip=HERE)
        assert {one.limit.purpose for one in reservation.claims} == {"refresh", "requests"}
    assert refused_by(lockout.reserve_refresh, session=account, ip=HERE) == "refresh"


def test_released_attempt_counts_nowhere(account: str) -> None:
    for _ in range(40):
        lockout.release(lockout.reserve_password_attempt(PasswordAttempt(account, HERE)))


@pytest.mark.parametrize(
    "name", ["database.AxesDatabaseHandler", "cache.AxesCacheHandler", "dummy.AxesDummyHandler"]
)
def test_without_the_reserving_handler_nothing_is_evaluated(
    account: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axes.handlers.database.AxesDatabaseHandler.get_failures", lambda *args: 0)
    with override_settings(AXES_HANDLER=f"axes.handlers.{name}"), pytest.raises(StoreUnavailable):
        lockout.reserve_password_attempt(PasswordAttempt(account, HERE))


@pytest.fixture
def heard() -> Iterator[list[tuple[str, str]]]:
    """The account and the source of each `user_locked_out`."""
    told: list[tuple[str, str]] = []

    def listen(sender: Any, **kwargs: Any) -> None:
        told.append((kwargs["username"], kwargs["ip_address"]))

    user_locked_out.connect(listen)
    yield told
    user_locked_out.disconnect(listen)


def test_axes_signal_tells_of_a_lock_that_began(account: str, heard: list[tuple[str, str]]) -> None:
    for _ in range(5):
        guess(account)
    assert heard == [(account, HERE)]


def test_axes_signal_tells_of_a_known_device_that_is_used_up(
    account: str, heard: list[tuple[str, str]]
) -> None:
    for _ in range(5):
        guess(account, device=account)
    assert heard == [(account, "")]


def test_axes_signal_tells_of_the_cap(account: str, heard: list[tuple[str, str]]) -> None:
    with override_settings(
        LIMITS={
            **settings.LIMITS,
            "password_account": replace(settings.LIMITS["password_account"], allowed=3),
        }
    ):
        for number in range(3):
            guess(account, f"198.51.100.{number}")
    assert heard == [(account, "198.51.100.2")]


def test_axes_interface_works_on_our_state(account: str) -> None:
    request, credentials = HttpRequest(), {"username": account}
    request.META["REMOTE_ADDR"] = HERE
    for _ in range(5):
        assert AxesProxyHandler.is_allowed(request, credentials)
        AxesProxyHandler.user_login_failed(sender="test", credentials=credentials, request=request)
    assert AxesProxyHandler.is_locked(request, credentials)
    assert not AxesProxyHandler.is_allowed(request, credentials)
    assert reset(username=account) == 2
    assert AxesProxyHandler.get_failures(request, credentials) == 0
    assert AxesProxyHandler.is_allowed(request, credentials)
    AxesProxyHandler.user_logged_in(sender="test", request=request, user=None)
    assert not AxesProxyHandler.is_locked(request, credentials)
