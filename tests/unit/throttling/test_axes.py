"""django-axes' door, on our state: what its helpers and resets do, and which of its switches open nothing."""

from urllib.parse import urlencode

import pytest
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_parameters, get_cool_off, get_failure_limit
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from axes.utils import reset, reset_request
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.http import HttpRequest, QueryDict
from django.test import override_settings

from tests.unit.throttling.conftest import only
from tests.unit.throttling.guesses import ELSEWHERE, HERE, IPV6, guess, guess_often, is_second_step_locked
from throttling import inspection, lockout, resets
from throttling.lockout import PasswordAttempt
from throttling.reservations import LimitExceeded, StoreUnavailable

pytestmark = [only("sqlite", "postgres"), pytest.mark.usefixtures("fresh_sources")]


def is_refused(account: str, ip: str = HERE, device: str | None = None) -> bool:
    try:
        lockout.release(lockout.reserve_password_attempt(PasswordAttempt(account, ip, device)))
    except LimitExceeded:
        return True
    return False


def request_of(ip: str, **query: str) -> HttpRequest:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = ip
    request.GET = QueryDict(urlencode(query))
    return request


def test_reset_without_arguments_opens_all_accounts_and_nothing_else(
    account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resets, "BATCH", 2)
    monkeypatch.setattr(inspection, "BATCH", 2)
    for name in "abc":
        guess_often(5, f"{account}-{name}", HERE)
    guess_often(5, account, ELSEWHERE)
    for _ in range(10):
        reservation = lockout.reserve_second_factor(login=None, user=account, device=None, totp=True)
        lockout.settle_second_factor(reservation, failed=True)
    assert reset() == 8
    assert not any(is_refused(f"{account}-{name}") for name in "abc")
    assert not is_refused(account, ELSEWHERE)
    assert is_second_step_locked(account, None)
    owners = (f"source:{HERE}", f"spraying:{HERE}")
    held = {one.purpose for owner in owners for one in inspection.status(owner)}
    assert held == {"password_source", "spraying"}
    assert reset() == 0


def test_reset_keeps_reservations_in_flight(account: str) -> None:
    flights = [lockout.reserve_password_attempt(PasswordAttempt(account, HERE)) for _ in range(4)]
    reset()
    held = {one.purpose: one.in_flight for one in inspection.status(f"account:{account}")}
    assert held == {"password_account_source": 4, "password_account": 4}
    for flight in flights:
        lockout.settle_password_attempt(flight, failed=True)
    guess(account)
    assert is_refused(account)


@pytest.mark.parametrize("ip", [HERE, IPV6])
def test_reset_of_a_source_opens_it_and_all_accounts_there(account: str, ip: str) -> None:
    for name in "ab":
        guess_often(5, f"{account}-{name}", ip)
        guess_often(5, f"{account}-{name}", ELSEWHERE)
    for number in range(18):
        guess(f"{account}-{number}", ip)
    assert is_refused(f"{account}-new", ip)
    reset(ip=ip)
    assert not is_refused(f"{account}-new", ip)
    assert not is_refused(f"{account}-a", ip)
    assert is_refused(f"{account}-a", ELSEWHERE)


def test_reset_of_an_account_at_a_source_leaves_other_sources(account: str) -> None:
    guess_often(5, account, HERE)
    guess_often(5, account, ELSEWHERE)
    assert reset(ip=HERE, username=account) == 1
    assert (is_refused(account, HERE), is_refused(account, ELSEWHERE)) == (False, True)
    assert reset(username=account) == 2
    assert not is_refused(account, ELSEWHERE)


def test_reset_of_an_account_or_a_source_opens_both(account: str) -> None:
    guess_often(5, account, ELSEWHERE)
    guess_often(5, f"{account}-other", HERE)
    reset(ip=HERE, username=account, ip_or_username=True)
    assert not is_refused(account, ELSEWHERE)
    assert not is_refused(f"{account}-other", HERE)


def test_empty_names_are_no_wildcards(account: str) -> None:
    guess_often(5, account, HERE)
    assert reset(username="") == 0
    assert is_refused(account)


def test_reset_of_a_request_is_of_its_account_at_its_source(account: str) -> None:
    guess_often(5, account, HERE)
    guess_often(5, account, ELSEWHERE)
    assert reset_request(request_of(HERE, username=account)) == 1
    assert (is_refused(account, HERE), is_refused(account, ELSEWHERE)) == (False, True)


def test_helpers_tell_the_lockout_that_is_in_force() -> None:
    request = request_of(HERE)
    cool_off = get_cool_off(request)
    assert cool_off
    assert (get_failure_limit(request, {}), cool_off.total_seconds()) == (5, 900)
    assert get_client_parameters("a", HERE, "agent", request) == [{"username": "a", "ip_address": HERE}]


def test_there_are_no_logs_of_axes_to_reset(account: str, capsys: pytest.CaptureFixture[str]) -> None:
    guess_often(5, account, HERE)
    for command in ("axes_reset_logs", "axes_reset_failure_logs"):
        call_command(command, age=0)
        assert capsys.readouterr().out == "No logs found.\n"
    assert AxesProxyHandler.remove_out_of_limit_failure_logs(username=account) == 0
    assert is_refused(account)


def test_tables_of_axes_stay_empty(account: str) -> None:
    call_command("migrate", "axes", verbosity=0)
    guess_often(5, account, HERE)
    assert is_refused(account)
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        assert model.objects.count() == 0


@pytest.mark.parametrize(
    "switch",
    [
        {"AXES_ONLY_ADMIN_SITE": True},
        {"AXES_LOCK_OUT_AT_FAILURE": False},
        {"AXES_FAILURE_LIMIT": 1000},
        {"AXES_NEVER_LOCKOUT_GET": True},
        {"AXES_NEVER_LOCKOUT_WHITELIST": True, "AXES_IP_WHITELIST": [HERE]},
        {"AXES_WHITELIST_CALLABLE": lambda *args: True},
    ],
    ids=" ".join,
)
def test_switches_of_axes_open_nothing(account: str, switch: dict[str, object]) -> None:
    with override_settings(**switch):
        guess_often(5, account, HERE)
        assert is_refused(account)
        assert AxesProxyHandler.is_locked(request_of(HERE), {"username": account})


def test_axes_disabled_is_no_answer_rather_than_no_limit(account: str) -> None:
    with override_settings(AXES_ENABLED=False), pytest.raises(StoreUnavailable):
        guess(account)


def test_django_signs_nobody_in_and_counts_the_attempt(account: str) -> None:
    for _ in range(5):
        assert authenticate(request_of(HERE), username=account, password="whatever") is None
    assert is_refused(account)


def test_look_at_all_accounts_yields_what_counts_in_the_order_of_locks(account: str) -> None:
    guess(f"{account}-b", HERE)
    guess_often(5, f"{account}-a", ELSEWHERE)
    every = inspection.survey("password_account_source", "password_account")
    found = [one for one in every if one.owner.startswith(f"account:{account}-")]
    assert [(one.owner, one.purpose) for one in found] == [
        (f"account:{account}-{name}", purpose)
        for name in "ab"
        for purpose in ("password_account", "password_account_source")
    ]
    here = {one.owner for one in inspection.survey("password_account_source", key=HERE)}
    assert f"account:{account}-b" in here
    assert f"account:{account}-a" not in here
