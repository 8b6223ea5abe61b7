"""Guesses placed around the border of a counting window, so that each of the two counts too few.

Attacker: knows the rules and the clock. Move: half of the guesses before the hour, half of them after; around midnight;
or spread over just less than the window. Refusal: windows overlap, so any span of a rule's length lies wholly in one.
"""

import pytest

import tests.ready  # noqa: F401
from audit.detections.rule import Rule
from audit.detections.rules import RULES
from tests.unit.audit.attacks import NOON, rules, seen, wrong

DAY = 86400.0
BORDERS = [*(NOON + minutes * 60 for minutes in range(0, 60, 10)), DAY, DAY - 3600, 0.5 * DAY]


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("apart", [1.0, 300.0, 1800.0, 3599.0])
def test_half_before_and_half_after_a_border_is_seen(border: float, apart: float) -> None:
    before = [wrong(at=border - apart / 2 + number / 1000) for number in range(5)]
    after = [wrong(at=border + apart / 2 - number / 1000) for number in range(5)]
    assert rules(*before, *after) == {"brute_force"}


@pytest.mark.parametrize("offset", range(0, 3600, 437))
def test_guesses_spread_over_a_whole_window_are_seen_wherever_it_begins(offset: int) -> None:
    for start in (NOON + offset, DAY - 3600 + offset):
        guesses = [wrong(at=start + 3600 * number / 9.01) for number in range(10)]
        assert rules(*guesses) == {"brute_force"}


@pytest.mark.parametrize("hours", [1, 7, 12, 23.9])
def test_a_login_long_after_the_reset_is_seen_for_a_day(hours: float) -> None:
    reset = seen("password.reset", at=NOON)
    assert rules(reset, seen("session.open", at=NOON + hours * 3600, details={"new_device": True})) == {
        "new_device_after_reset"
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_slots_divide_windows_and_days_evenly(rule: Rule) -> None:
    assert DAY * 1000 % rule.slot_ms == 0
