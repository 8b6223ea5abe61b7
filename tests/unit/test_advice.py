"""zxcvbn's advice in German: every sentence that the installed version can say, and no other."""

import ast
import inspect

import pytest
from django.utils import translation
from zxcvbn import feedback

import tests.ready  # noqa: F401
from secure_auth import strength
from secure_auth.web import advice

ADVISED = (
    "password",
    "P4ssw0rd",
    "drowssap",
    "qwertyuiop",
    "asdf",
    "aaaaaa",
    "abcabcabc",
    "6543",
    "2024",
    "SMITH",
    "1.1.2011",
)


def zxcvbns_sentences() -> set[str]:
    """What its source marks for translation, as the parser joins it."""
    calls = [one for one in ast.walk(ast.parse(inspect.getsource(feedback))) if isinstance(one, ast.Call)]
    marked = [one.args[0] for one in calls if getattr(one.func, "id", "") == "_"]
    return {ast.literal_eval(one) for one in marked}


def told_words() -> set[str]:
    """Every other piece of text in it that looks like a sentence: nothing is said without being marked."""
    parsed = ast.walk(ast.parse(inspect.getsource(feedback)))
    texts = {one.value for one in parsed if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {one for one in texts if one.endswith(".")}


def test_every_sentence_of_zxcvbn_is_known_and_no_other() -> None:
    assert len(zxcvbns_sentences()) > 20
    assert told_words() == zxcvbns_sentences()
    assert set(advice.sentences()) == zxcvbns_sentences()


@pytest.mark.parametrize("sentence", sorted(zxcvbns_sentences()))
def test_every_sentence_is_german_on_a_german_page(sentence: str) -> None:
    with translation.override("en"):
        assert advice.sentences()[sentence] == sentence
    with translation.override("de"):
        german = advice.sentences()[sentence]
    assert german not in ("", sentence)


def test_what_passwords_are_told_is_among_them() -> None:
    for password in ADVISED:
        told = strength.estimate_strength(password=password, email="")
        assert {told.warning, *told.suggestions} - {""} <= set(advice.sentences()), password
