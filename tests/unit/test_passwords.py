"""Password rules, normal form, hashes and the bound on concurrent work."""

import hashlib
import os
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from argon2.low_level import error_to_str
from django.conf import settings
from django.contrib.auth.hashers import make_password, verify_password
from django.test import override_settings

import tests.ready  # noqa: F401
from secure_auth import forced_changes, hashers, password_policy, passwords
from secure_auth.errors import Code, Problem
from secure_auth.models import User

GOOD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _slots() -> None:
    (settings.DATA_DIR / "hash-slots").mkdir(parents=True, exist_ok=True)


def faults(password: str, email: str = "") -> list[str]:
    return [fault.code for fault in password_policy.find_faults(password, email=email)]


@pytest.mark.parametrize(
    "password", [GOOD, "tr0ub4dor&3x", "  blanks count  ", "пароль-длинный-42", "x1y" * 42]
)
def test_long_enough_and_uncommon_is_all_that_is_asked(password: str) -> None:
    assert faults(password) == []


def test_length_is_counted_in_characters_of_the_normal_form() -> None:
    assert faults("seven77") == ["too_short"]
    assert faults("e\u0301" * 7) == ["too_short"]
    assert faults("pässwört") != ["too_short"]
    assert faults("x1y" * 43) == ["too_long"]
    assert faults("e\u0301ab" * 42) == []


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "12345678",
        "iloveyou",
        "qwertyuiop",
        "aaaaaaaaaa",
        "abababab",
        "Secureauth1!",
        "password2026",
    ],
)
def test_what_attackers_try_first_is_refused(password: str) -> None:
    assert faults(password) == ["too_common"]


@pytest.mark.parametrize(
    "password", ["ada.lovelace", "Ada.Lovelace99", "example.org", "ada.lovelace@example.org"]
)
def test_parts_of_ones_own_address_are_refused(password: str) -> None:
    assert faults(password, "ada.lovelace@example.org") == ["too_common"]


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("anna1990@example.org", "anna1990"),
        ("1anna@example.org", "1anna@example.org"),
        ("2024-anna@example.org", "2024-anna"),
        ("anna.1990@example.org", "!anna.1990!"),
        ("annabell1990@example.org", "annabell1990!"),
    ],
)
def test_ones_own_address_is_refused_whatever_it_begins_and_ends_with(email: str, password: str) -> None:
    assert [fault.code for fault in password_policy.find_faults(password, email=email)] == ["too_common"]


def test_refusal_never_repeats_the_password() -> None:
    for password in ("hunter2", "x1y" * 43, "password1"):
        assert all(password not in fault.detail for fault in password_policy.find_faults(password))


def test_both_normal_forms_are_one_password() -> None:
    encoded = passwords.hash_password("cafe\u0301 au lait")
    assert passwords.check_password(unicodedata.normalize("NFC", "café au lait"), encoded).matches
    assert not passwords.check_password("cafe au lait", encoded).matches
    assert not passwords.check_password(" café au lait", encoded).matches


def test_hash_is_argon2id_with_the_configured_cost() -> None:
    assert passwords.hash_password(GOOD).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_current_hash_is_not_replaced_and_an_older_one_is() -> None:
    current = passwords.hash_password(GOOD)
    assert passwords.check_password(GOOD, current).upgraded == ""
    older = make_password(GOOD, hasher="pbkdf2_sha256")
    assert passwords.check_password("wrong", older).upgraded == ""
    upgraded = passwords.check_password(GOOD, older).upgraded
    assert upgraded.startswith("argon2$argon2id$")
    assert passwords.check_password(GOOD, upgraded).matches


@pytest.mark.parametrize("password", [GOOD, "пароль-длинный-42", ""])
def test_a_hash_of_today_is_judged_as_django_judges_it(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = passwords.hash_password(password)
    broken = encoded[:-1] + ("A" if encoded[-1] != "A" else "Q")
    judged = [(tried, stored) for stored in (encoded, broken) for tried in (password, f"{password}.")]
    expected = [verify_password(*one) for one in judged]
    assert expected[0] == (True, False)
    monkeypatch.setattr(passwords, "verify_password", None)  # not asked
    for (tried, stored), (matches, outdated) in zip(judged, expected, strict=True):
        assert passwords.check_password(tried, stored) == passwords.Proof(matches)
        assert not outdated


def test_of_another_form_than_todays_django_is_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def judge(_: str, encoded: str) -> tuple[bool, bool]:
        asked.append(encoded)
        return False, False

    monkeypatch.setattr(passwords, "verify_password", judge)
    encoded = passwords.hash_password(GOOD)
    others = [
        encoded.replace("t=", "t=1"),
        encoded.replace("argon2id", "argon2i"),
        encoded[:-1],
        f"{encoded}A",
    ]
    for other in [*others, encoded.replace("v=19", "v=16"), "!unusable", ""]:
        passwords.check_password(GOOD, other or "!")
    assert len(asked) == len(others) + 3


def test_no_account_never_matches() -> None:
    assert not passwords.check_password(GOOD, None).matches
    assert not passwords.check_password("", None).matches


def test_proof_does_not_show_hashes() -> None:
    proof = passwords.Proof(True, passwords.hash_password(GOOD))
    assert "argon2" not in repr(proof)


def test_beyond_its_slots_a_node_refuses_at_once() -> None:
    with override_settings(HASH_CONCURRENCY=2):
        passwords.hash_slots.cache_clear()
        try:
            with passwords.hash_slot(), passwords.hash_slot(), pytest.raises(Problem) as refused:
                passwords.hash_password(GOOD)
            assert refused.value.code is Code.SERVICE_UNAVAILABLE
            assert refused.value.headers["Retry-After"] == "1"
            assert passwords.hash_password(GOOD)
        finally:
            passwords.hash_slots.cache_clear()


def test_reset_settles_no_flag_that_came_while_it_was_hashed() -> None:
    """Whoever flags the account meanwhile may know what the reset does not: that this password is lost too."""
    before, after = (User(must_change_since=datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2))
    assert forced_changes.settled_by_reset(before, before, repeated=False) == forced_changes.SETTLED
    assert forced_changes.settled_by_reset(before, before, repeated=True) == {}
    assert forced_changes.settled_by_reset(before, after, repeated=False) == {}
    assert forced_changes.settled_by_reset(User(), after, repeated=False) == {}


def test_what_root_hashes_closes_no_slot_to_the_service(tmp_path: Path) -> None:
    """As by create_user: each login that came to its slot was an internal error."""
    with override_settings(DATA_DIR=tmp_path, HASH_CONCURRENCY=1):
        passwords.hash_slots.cache_clear()
        (tmp_path / "hash-slots").mkdir()
        if os.geteuid() == 0:
            os.chown(tmp_path / "hash-slots", 65534, 65534)
        try:
            passwords.hash_password(GOOD)
        finally:
            passwords.hash_slots.cache_clear()
        directory, slot = (path.stat() for path in (tmp_path / "hash-slots", tmp_path / "hash-slots" / "0"))
    assert (slot.st_uid, slot.st_gid) == (directory.st_uid, directory.st_gid)


def no_memory(*_: object) -> bool:
    raise VerificationError(error_to_str(-22))  # ARGON2_MEMORY_ALLOCATION_ERROR


def test_hash_that_no_memory_was_there_for_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    cheaper = "argon2" + PasswordHasher(memory_cost=64).hash(GOOD)
    wrapped = hashers.wrap(make_password(GOOD, hasher="pbkdf2_sha256"))
    monkeypatch.setattr(PasswordHasher, "verify", no_memory)
    for encoded in (cheaper, wrapped):
        with pytest.raises(Problem) as refused:
            passwords.check_password(GOOD, encoded)
        assert refused.value.code is Code.SERVICE_UNAVAILABLE


def test_scrypt_that_no_memory_was_there_for_is_no_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = make_password(GOOD, hasher="scrypt")

    def scrypt(*_: object, **__: object) -> bytes:
        raise ValueError("[digital envelope routines] malloc failure")

    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    with pytest.raises(Problem) as refused:
        passwords.check_password(GOOD, encoded)
    assert refused.value.code is Code.SERVICE_UNAVAILABLE


def test_node_whose_slots_cannot_be_opened_refuses(tmp_path: Path) -> None:
    with override_settings(DATA_DIR=tmp_path / "gone"), pytest.raises(Problem) as refused:
        passwords.hash_password(GOOD)
    assert refused.value.code is Code.SERVICE_UNAVAILABLE
