"""Each rule on synthetic events: what meets it, what just does not, and what must not matter."""

import time
from typing import Any

import pytest
from django.utils.translation import gettext, override
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.detections.counting import LATENESS_MS, count
from audit.detections.reading import explain
from audit.detections.rule import MOST_DISTINCT, SLOTS, Rule, Sighting
from audit.detections.rules import RULES
from audit.detections.slot import EVIDENCE
from tests.unit.audit import attacks
from tests.unit.audit.attacks import NOON, recognise, right, rules, seen, unknown, wrong

LOCK = {"limit": "password_account_source"}
MINUTE = 60.0
DAY = 86400.0


def locked(source: str = "192.0.2.1", limit: str = "password_account_source", **what: Any) -> Sighting:
    return seen("account.lock", source=source, details={"limit": limit}, **what)


def spread(count: int, seconds: float) -> list[float]:
    """Moments that divide a time evenly, from its first to its last second."""
    return [NOON + seconds * number / (count - 1) for number in range(count)]


def test_brute_force_needs_ten_guesses_at_one_account() -> None:
    guesses = [wrong(source=f"192.0.2.{number % 2}") for number in range(10)]
    assert rules(*guesses) == {"brute_force"}
    assert rules(*guesses[1:]) == set()
    assert rules(*[wrong(account=f"user-{number}") for number in range(10)]) == set()


def test_attempts_at_a_locked_account_count_and_collapsed_ones_by_their_count() -> None:
    refused = seen("limit.exceeded", "locked", details=LOCK, times=5)
    assert rules(*[wrong() for _ in range(5)], refused) == {"brute_force"}
    other = seen("limit.exceeded", "rate_limited", details={"limit": "password_source"}, times=500)
    assert rules(*[wrong() for _ in range(5)], other) == set()


@pytest.mark.parametrize(
    ("limit", "rule"),
    [
        ("password_account_source", "brute_force"),
        ("password_account", "brute_force"),
        ("totp_account", "second_factor_guessing"),
        ("totp_consecutive", "second_factor_guessing"),
        ("totp_device", "second_factor_guessing"),
        ("totp_device_consecutive", "second_factor_guessing"),
        ("recovery_account", "second_factor_guessing"),
    ],
)
def test_attempts_at_every_lock_count_for_the_step_that_it_closes(limit: str, rule: str) -> None:
    assert rules(seen("limit.exceeded", "locked", details={"limit": limit}, times=10)) == {rule}


def test_spraying_needs_fifteen_accounts_from_one_source() -> None:
    assert rules(*[wrong(account=f"user-{n}") for n in range(15)]) == {"password_spraying"}
    assert rules(*[wrong(account=f"user-{n}") for n in range(14)]) == set()
    assert rules(*[wrong(account=f"user-{n}", source=f"192.0.2.{n}") for n in range(40)]) == set()


def test_stuffing_is_success_amid_failures_at_accounts_many_of_which_do_not_exist() -> None:
    tried = [unknown(account=f"nobody-{n}") for n in range(5)] + [
        wrong(account=f"user-{n}") for n in range(5)
    ]
    assert rules(*tried, right(account="victim")) == {"credential_stuffing"}
    assert rules(*tried) == set()
    known = [wrong(account="nobody-0"), *tried[1:]]
    assert rules(*known, right(account="victim")) == set()
    office = [wrong(account=f"user-{n}") for n in range(12)] + [right(account=f"user-{n}") for n in range(12)]
    assert rules(*office) == set()


def test_many_machines_that_try_a_list_are_recognised_together() -> None:
    tried = [unknown(account=f"nobody-{n}", source=f"192.0.2.{n % 20}") for n in range(50)]
    assert rules(*tried) == {"distributed_guessing"}
    assert rules(*[unknown(account=f"nobody-{n}", source=f"192.0.2.{n % 19}") for n in range(50)]) == set()


@pytest.mark.parametrize(
    "kind", ["session.reauthenticate", "password.change", "address.request", "account.delete"]
)
def test_wrong_passwords_of_somebody_signed_in_count_too(kind: str) -> None:
    assert rules(*[wrong() for _ in range(9)], seen(kind, "wrong_password")) == {"brute_force"}
    assert rules(*[wrong() for _ in range(9)], seen(kind, "credential_changed")) == set()


def test_second_factor_guessing_needs_more_codes_than_one_login_takes() -> None:
    codes = [seen("login.second_factor", "wrong_code") for _ in range(6)]
    assert rules(*codes) == {"second_factor_guessing"}
    assert rules(*codes[1:], seen("login.second_factor")) == set()
    assert rules(*codes[1:], seen("session.reauthenticate", "replayed_code")) == {"second_factor_guessing"}


def test_one_reused_refresh_token_is_enough() -> None:
    found = recognise([[seen("token.reuse", "reused", session=name) for name in ("s-1", "s-2", "s-1")]])
    assert sorted((one.rule, one.count) for one in found.values()) == [
        ("refresh_reuse", 1),
        ("refresh_reuse", 2),
    ]


def test_lockout_as_a_weapon_takes_several_sources_or_the_lock_from_anywhere() -> None:
    assert rules(*[locked(f"192.0.2.{n}", at=NOON + n * 3600) for n in range(3)]) == {"lockout_weapon"}
    assert rules(*[locked(at=NOON + n * 60) for n in range(9)]) == set()
    assert rules(locked(limit="password_account")) == {"lockout_weapon"}
    assert rules(*[locked(f"192.0.2.{n}", limit="totp_account") for n in range(3)]) == set()


@pytest.mark.parametrize("kind", ["password.reset", "mfa.reset"])
def test_new_device_counts_only_after_the_reset(kind: str) -> None:
    reset = seen(kind, at=NOON)
    later = seen("session.open", at=NOON + 3600, details={"new_device": True})
    before = seen("session.open", at=NOON - 3600, details={"new_device": True})
    familiar = seen("session.open", at=NOON + 3600)
    assert rules(reset, later) == {"new_device_after_reset"}
    assert rules(later, reset) == {"new_device_after_reset"}, "the order of arrival does not matter"
    assert rules(reset, before, familiar) == set()
    assert rules(seen(kind, "unknown", at=NOON), later) == set(), "a refused reset is none"
    assert rules(reset, seen("session.open", account="berta", details={"new_device": True})) == set()


@pytest.mark.parametrize("kind", ["password.reset", "mfa.reset"])
def test_the_login_that_enrols_after_a_reset_is_one_from_a_new_device(kind: str) -> None:
    reset = seen(kind, at=NOON)
    enrolled = seen("mfa.totp.confirm", at=NOON + 60, details={"login": "login-1"})
    opened = seen("session.open", at=NOON + 60, details={"login": "login-1"})
    (found,) = recognise([[reset, enrolled, opened]]).values()
    assert (found.rule, found.figures) == ("new_device_after_reset", {"resets": 1, "logins": 1})
    wrong_code = seen("mfa.totp.confirm", "wrong_code", at=NOON + 60, details={"login": "login-1"})
    of_a_session = seen("mfa.totp.confirm", at=NOON + 60)
    assert rules(reset, wrong_code, of_a_session) == set()
    assert rules(enrolled, opened) == set()


def test_many_resets_of_one_account_and_from_one_source() -> None:
    asked = [seen("password.reset_request", source=f"192.0.2.{n}", at=NOON + n * 3600) for n in range(5)]
    assert rules(*asked) == {"many_resets"}
    assert rules(*asked[1:]) == set()
    assert rules(*[seen("password.reset_request", account=f"user-{n}") for n in range(5)]) == {
        "resets_from_one_source"
    }


def test_partial_token_used_from_another_source_than_its_password() -> None:
    step = right(details={"login": "login-1"})
    elsewhere = seen("login.second_factor", source="198.51.100.7", details={"login": "login-1"})
    assert rules(step, elsewhere) == {"partial_token_elsewhere"}
    first = seen("account.confirm", details={"login": "login-1"})
    assert rules(first, elsewhere) == {"partial_token_elsewhere"}
    assert rules(step, seen("mfa.totp.begin", source="198.51.100.7", details={"login": "login-1"})) == {
        "partial_token_elsewhere"
    }
    assert rules(step, seen("login.second_factor", details={"login": "login-1"})) == set()
    assert (
        rules(step, seen("login.second_factor", source="198.51.100.7", details={"login": "login-2"})) == set()
    )


def test_many_new_devices_on_one_source() -> None:
    opened = [seen("session.open", account=f"user-{n}", details={"new_device": True}) for n in range(5)]
    assert rules(*opened) == {"many_new_devices"}
    assert rules(*opened[1:], seen("session.open", account="user-0")) == set()


def test_what_has_no_account_or_source_left_is_not_grouped() -> None:
    assert rules(*[wrong(account="", source="") for _ in range(50)]) == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_well_made(rule: Rule) -> None:
    known = {*rule.counts, *rule.distinct}
    assert all(minima.keys() <= known and max(minima.values()) < MOST_DISTINCT for minima in rule.reached)
    assert explain(rule.id, {})[1].count("0") == rule.why.count("{"), "why names figures only"
    assert rule.window_seconds % SLOTS == 0


@pytest.mark.parametrize(
    ("language", "one", "many"),
    [
        (
            "en",
            ("1 reset of", "1 login from a source that was"),
            ("2 resets of", "3 logins from sources that were"),
        ),
        (
            "de",
            ("1-mal", "1 Anmeldung von einer unbekannten Quelle"),
            ("2-mal", "3 Anmeldungen von unbekannten"),
        ),
    ],
)
def test_what_is_counted_once_is_told_as_one(
    language: str, one: tuple[str, str], many: tuple[str, str]
) -> None:
    for figures, words in (({"resets": 1, "logins": 1}, one), ({"resets": 2, "logins": 3}, many)):
        with override(language):
            why = explain("new_device_after_reset", figures, gettext)[1]
        assert all(word in why for word in words), why


def test_slow_guesses_stay_below_the_threshold() -> None:
    assert rules(*[wrong(at=n * 600.0) for n in range(6, 100)]) == set()


def test_growth_is_one_detection_a_day_with_bounded_evidence() -> None:
    guesses = [wrong(at=n * 30.0) for n in range(2000)]
    (found,) = recognise([guesses]).values()
    assert found.count == 2000
    assert found.earliest == [one.id for one in guesses[:EVIDENCE]]
    assert found.latest == [one.id for one in guesses[-EVIDENCE:]]


def test_late_guesses_complete_what_later_ones_began() -> None:
    later, earlier = ([wrong(at=NOON + at + number) for number in range(5)] for at in (3000, 0))
    assert {one.rule for one in recognise([later, earlier]).values()} == {"brute_force"}


@pytest.mark.parametrize("minutes", range(10))
def test_slots_are_kept_as_long_as_an_accepted_event_may_complete_them(minutes: int) -> None:
    start = NOON + minutes * 60
    guesses = [wrong(at=start + at) for at in (0, 0, 0, 0, 0, 3599, 3599, 3599, 3599, 3599)]
    newer = [right(at=start + 3599 + LATENESS_MS / 1000, account="bob")]
    found = recognise([guesses[:5], newer, guesses[5:]])
    assert {one.rule for one in found.values()} == {"brute_force"}


def test_clock_that_is_ahead_makes_no_other_events_late() -> None:
    now = time.time() - attacks.DAY / 1000
    ahead = right(at=now + 400 * DAY, account="bob")
    guesses = [wrong(at=now) for _ in range(10)]
    assert {one.rule for one in recognise([[ahead], guesses]).values()} == {"brute_force"}


def test_clock_of_the_engine_that_was_ahead_makes_nothing_late_once_it_is_set_right() -> None:
    now = time.time()
    counted = count([wrong(at=now)], digest=attacks.digest, newest_ms=int((now + 400 * DAY) * 1000))
    assert counted.groups
    assert counted.newest_ms <= time.time() * 1000


def test_reset_after_the_new_device_hides_nothing() -> None:
    resets = [seen("password.reset", at=NOON + at) for at in (0, 120)]
    login = seen("session.open", at=NOON + 60, details={"new_device": True})
    assert rules(*resets, login) == {"new_device_after_reset"}


def test_distinct_values_are_kept_in_bounds() -> None:
    many = [[wrong(at=NOON + n, source=f"192.0.2.{n + at}") for n in range(60)] for at in (0, 60)]
    (found,) = recognise(many).values()
    assert found.figures == {"guesses": 120, "sources": MOST_DISTINCT}
    told = "120 wrong passwords or refused attempts at one account within an hour, from 64+ sources."
    assert explain(found.rule, found.figures)[1] == told


def test_what_comes_much_too_late_is_not_counted_and_changes_nothing() -> None:
    late = [wrong(at=NOON) for _ in range(20)]
    after = right(at=NOON + LATENESS_MS / 1000 + 1)
    assert {one.rule for one in recognise([[after], late]).values()} == set()
    assert {one.rule for one in recognise([late, [after]]).values()} == {"brute_force"}


_kinds = st.sampled_from(
    [
        ("login.password", "wrong_password", {}),
        ("login.password", "unknown_account", {}),
        ("login.password", "", {"login": "login-1"}),
        ("login.second_factor", "wrong_code", {"login": "login-1"}),
        ("limit.exceeded", "locked", LOCK),
        ("account.lock", "", LOCK),
        ("password.reset", "", {}),
        ("session.open", "", {"new_device": True}),
        ("token.reuse", "reused", {}),
        ("audit.read", "", {}),
    ]
)
_sightings = st.builds(
    lambda kind, account, source, at, times: seen(
        kind[0], kind[1], at=at, account=f"user-{account}", source=f"192.0.2.{source}", details=kind[2],
        session=f"s-{account}", times=times,
    ),
    _kinds, st.integers(0, 3), st.integers(0, 4), st.floats(0, 2 * DAY), st.integers(1, 4),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(_sightings, max_size=120), st.data())
def test_batches_of_any_size_give_the_same_detections(events: list[Sighting], data: st.DataObject) -> None:
    expected = recognise([events])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=8)))
    batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    assert recognise(batches) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(_sightings, max_size=120), st.randoms())
def test_late_order_does_not_matter(events: list[Sighting], random: object) -> None:
    in_time = sorted(events, key=lambda one: one.time_ms)
    shuffled = sorted(events, key=lambda one: one.time_ms + random.random() * LATENESS_MS * 0.999)  # type: ignore[attr-defined]
    assert recognise([shuffled]) == recognise([in_time])
