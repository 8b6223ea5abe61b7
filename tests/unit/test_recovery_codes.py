"""How recovery codes look and how they may be typed."""

import re

import pytest

import tests.ready  # noqa: F401
from mfa import recovery_codes


def test_ten_different_codes_of_120_bits() -> None:
    codes = recovery_codes.create_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){5}", code) for code in codes)


def test_case_dashes_and_blanks_do_not_matter() -> None:
    code = recovery_codes.create_codes()[0]
    bare = code.replace("-", "")
    for typed in (
        code,
        bare,
        code.lower(),
        code.replace("-", " "),
        f"  {bare}\n",
        "-".join(bare),
        code.replace("-", "\u2011"),
        code.replace("-", "\u2013"),
    ):
        assert recovery_codes.normalize_code(typed) == bare


@pytest.mark.parametrize(
    "typed", ["", "A" * 23, "A" * 25, "A" * 23 + "1", "A" * 23 + "0", "A" * 23 + "Ä", "\uff21" * 24, "000000"]
)
def test_anything_else_cannot_be_a_code(typed: str) -> None:
    assert recovery_codes.normalize_code(typed) is None
