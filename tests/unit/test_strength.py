"""The estimate for a page: what it says, and that no input makes it dear."""

import random
import string
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import tests.ready  # noqa: F401
from secure_auth import strength

BUDGET_SECONDS = 1.0  # of CPU; a long row of signs costs zxcvbn alone ten times that
SIGNS = "4@8({[<369&!1|7$50+%2"


def score(password: str, email: str = "") -> int:
    return strength.estimate_strength(password=password, email=email).score


def test_scores_go_from_guessed_at_once_to_practically_not() -> None:
    assert score("password") == 0
    assert score("P4ssw0rd") == 0
    assert score("correct horse battery staple 42") == 4


def test_advice_and_faults_stand_beside_the_score() -> None:
    told = strength.estimate_strength(password="qwertyuiop", email="")
    assert told.warning
    assert told.suggestions
    assert [fault.code for fault in told.faults] == ["too_common"]
    assert strength.estimate_strength(password="nine green lamps in the hall", email="").faults == []


def test_the_address_and_the_products_words_are_guessed_first() -> None:
    assert score("lovelace-engine", "lovelace-engine@example.org") < score("lovelace-engine")
    assert score("Secure-Auth") <= 1


def test_words_of_one_caller_are_not_those_of_another() -> None:
    alone = score("zyxomma-quibble")
    with ThreadPoolExecutor(4) as pool:
        own = pool.map(lambda _: score("zyxomma-quibble", "zyxomma-quibble@example.org"), range(20))
        others = pool.map(lambda _: score("zyxomma-quibble"), range(20))
        assert {*own} == {0}
        assert {*others} == {alone}


def worst_inputs() -> list[str]:
    chance = random.Random(7)
    rows = [SIGNS * 5, "1|7!" * 30, "[{(<" * 30, "aab" * 40, "a" * 128, "1.1.2011." * 14, "abcabc" * 20]
    rows += ["".join(chance.choice(SIGNS + "aelost") for _ in range(128)) for _ in range(10)]
    rows += ["".join(chance.choice(string.printable) for _ in range(20)) * 6 for _ in range(5)]
    return [*rows, "é" * 128, "\u0130" * 128, "\U0001f600" * 128, "\x00" * 128, "qwertyuiop" * 12, " " * 128]


@pytest.mark.parametrize("password", worst_inputs(), ids=range(len(worst_inputs())))
def test_no_input_is_dear(password: str) -> None:
    began = time.thread_time()
    assert 0 <= score(password, "ada@example.org") <= 4
    assert time.thread_time() - began < BUDGET_SECONDS


@pytest.mark.parametrize("password", ["a", "é", "\x00", "1"])
def test_the_shortest_are_estimated_too(password: str) -> None:
    assert score(password) == 0
