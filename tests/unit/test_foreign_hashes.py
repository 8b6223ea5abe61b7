"""Password hashes of other systems: which are taken, what they may cost, and that they verify, wrapped or not."""

import pytest
from django.conf import settings
from django.contrib.auth.hashers import verify_password

import tests.ready  # noqa: F401
from secure_auth import foreign_hashes, hashers, passwords
from secure_auth.foreign_hashes import BadHash
from tests.client import PASSWORD
from tests.newcomers import hashes

A86 = "A" * 86
# Published by others: passlib's and John the Ripper's test vectors.
VECTORS = [
    (
        "password",
        "$pbkdf2-sha256$1212$4vjV83LKPjQzk31VI4E0Vw$hsYF68OiOUPdDZ1Fg.fJPeq1h/gXXY7acBp9/6c.tmQ",
    ),
    ("password", "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E"),
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
]
EVERY = [(PASSWORD, hash_) for hash_ in hashes().values()] + VECTORS
NAMES = [*hashes(), "passlib vector", "passlib scrypt vector", "bcrypt vector"]
OTHERS = [one for one in EVERY if "argon2" not in one[1]]


@pytest.fixture(autouse=True)
def _slots() -> None:
    (settings.DATA_DIR / "hash-slots").mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize(("password", "hash_"), EVERY, ids=NAMES)
def test_a_foreign_hash_verifies_and_is_replaced(password: str, hash_: str) -> None:
    stored = foreign_hashes.recognize(hash_)
    assert foreign_hashes.recognize(stored) == stored
    proof = passwords.check_password(password, stored)
    assert proof.matches
    assert proof.upgraded.startswith("argon2$argon2id$")
    assert not passwords.check_password(f"{password}x", stored).matches


@pytest.mark.parametrize(
    ("encoded", "tells"),
    [
        ("!unusable", False),
        ("pbkdf2_sha256$1000$salt$digest", True),
        ("argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", False),
        ("argon2$argon2id$v=19$m=131072,t=9,p=8$c2FsdHNhbHQ$aGFzaA", True),
    ],
)
def test_only_what_takes_longer_or_works_otherwise_tells_its_account_by_time(
    encoded: str, tells: bool
) -> None:
    assert hashers.takes_other_time(encoded) is tells


@pytest.mark.parametrize(("password", "hash_"), OTHERS, ids=[NAMES[EVERY.index(one)] for one in OTHERS])
def test_a_wrapped_hash_holds_no_digest_of_the_old_one(password: str, hash_: str) -> None:
    stored = foreign_hashes.recognize(hash_)
    wrapped = hashers.wrap(stored)
    setting, argon2 = hashers.split_wrapped(wrapped)
    assert argon2.startswith("$argon2id$v=19$m=")
    assert stored.startswith(setting)
    digest = stored.removeprefix(setting).strip("$")
    assert len(digest) >= 27
    assert digest not in wrapped
    assert foreign_hashes.recognize(wrapped) == wrapped
    assert len(wrapped) <= foreign_hashes.MOST_LENGTH
    assert verify_password(password, wrapped) == (True, True)
    assert verify_password(f"{password}x", wrapped) == (False, True)
    assert verify_password(hash_, wrapped)[0] is False
    assert verify_password(stored, wrapped)[0] is False


@pytest.mark.parametrize(
    ("hash_", "code"),
    [
        ("", "unknown_hash"),
        ("plaintext", "unknown_hash"),
        ("md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "unknown_hash"),
        ("$6$rounds=5000$salt$digest", "unknown_hash"),
        ("$2x$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "malformed_hash"),
        ("$2b$12$CCCCCCCCCCCCCCCCCCCCCCE5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "malformed_hash"),  # bits too many
        ("$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "malformed_hash"),
        ("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "excessive_cost"),
        ("bcrypt_sha256$$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "excessive_cost"),
        (f"pbkdf2_sha256$1000000000$s${'A' * 43}=", "excessive_cost"),
        (f"pbkdf2_sha256$0$s${'A' * 43}=", "malformed_hash"),
        (f"pbkdf2_sha256$1000$s${'A' * 27}=", "malformed_hash"),
        (f"pbkdf2_sha256$1000$s\u00e9${'A' * 43}=", "malformed_hash"),
        (f"pbkdf2:sha512:999999999$s${'ab' * 64}", "excessive_cost"),
        ("pbkdf2:sha256:1000$s$abc", "malformed_hash"),
        (f"scrypt$1073741824$salt$8$1${A86}==", "excessive_cost"),
        (f"scrypt$16384$salt$8$99999${A86}==", "excessive_cost"),
        (f"scrypt$262144$salt$8$1${A86}==", "excessive_cost"),  # by memory alone
        (f"scrypt$16385$salt$8$1${A86}==", "malformed_hash"),
        (f"$scrypt$ln=30,r=8,p=1$c2FsdA${'A' * 43}", "excessive_cost"),
        ("$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA", "excessive_cost"),
        ("$argon2id$v=19$m=65536,t=4000,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA", "excessive_cost"),
        ("$argon2id$v=19$m=262144,t=1,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA", "excessive_cost"),  # likewise
        ("$argon2id$v=19$m=1024,t=1,p=17$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA", "excessive_cost"),
        ("$argon2id$v=19$m=7,t=1,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA", "malformed_hash"),
        ("wrapped$", "malformed_hash"),
        ("wrapped$md5$s$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA", "malformed_hash"),
        (
            "wrapped$pbkdf2_sha256$999999999$s$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA",
            "excessive_cost",
        ),
        (
            "wrapped$pbkdf2_sha256$1000$s$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA",
            "excessive_cost",
        ),
        (f"$pbkdf2-sha256$1000$c2FsdA${'A' * 27}", "malformed_hash"),
        (f"$scrypt$ln=4,r=8,p=1$c2Fsd${'A' * 43}", "malformed_hash"),
        ("phc_phc_phc_", "unknown_hash"),
    ],
)
def test_what_is_unknown_malformed_or_too_dear_is_refused(hash_: str, code: str) -> None:
    with pytest.raises(BadHash) as refused:
        foreign_hashes.recognize(hash_)
    assert refused.value.code == code
    assert not hash_ or hash_ not in str(refused.value)


def test_bcrypt_reads_72_bytes_and_a_longer_password_is_no_error() -> None:
    stored = foreign_hashes.recognize(hashes()["bare bcrypt 2b"])
    assert not passwords.check_password("p" * 128, stored).matches
    assert not passwords.check_password("\U0001f600" * 128, hashers.wrap(stored)).matches
