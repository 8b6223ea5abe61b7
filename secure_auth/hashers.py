"""The password hashes of other systems, verified until their account's first login replaces them by Argon2id.

Each gives the same digest again from a password and a setting: the hash without its digest. So any of them can be
wrapped: Argon2id over the old hash, whose own digest is then stored nowhere. What a setting may cost is bounded where
hashes come in (`secure_auth.foreign_hashes`).
"""

import base64
import binascii
import hashlib
from typing import Protocol, cast

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import error_to_str
from django.conf import settings
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    BasePasswordHasher,
    BCryptPasswordHasher,
    BCryptSHA256PasswordHasher,
    PBKDF2PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
    get_hasher,
)
from django.utils.crypto import constant_time_compare

BCRYPT_BYTES = 72  # bcrypt reads no more; its library refuses what is longer
BCRYPT_DIGEST_LENGTH = 31
WRAPPED = "wrapped"
_ARGON2 = "$argon2id$"
_SHORT_OF_MEMORY = error_to_str(-22)  # ARGON2_MEMORY_ALLOCATION_ERROR


def takes_other_time(encoded: str) -> bool:
    """Whether a hash tells its account by the time it takes: of another algorithm, or a dearer Argon2 than ours.

    A cheaper Argon2 is evened out (`passwords.Argon2Hasher`).
    """
    if encoded.startswith("!"):
        return False
    if not encoded.startswith("argon2$"):
        return True
    stored = Argon2PasswordHasher().decode(encoded)
    ours = settings.ARGON2_MEMORY_KIB * settings.ARGON2_TIME_COST
    return int(stored["memory_cost"]) * int(stored["time_cost"]) > ours


class Recomputing(Protocol):
    """A hash that can be computed again from its setting."""

    def setting_of(self, encoded: str) -> str:
        """The hash without its digest."""

    def compute(self, password: str, setting: str) -> str:
        """The whole hash of a password under a setting."""


def is_same(hasher: Recomputing, password: str, encoded: str) -> bool:
    """Whether this is the hash's password, in constant time; a hash that its library refuses is nobody's."""
    try:
        return constant_time_compare(hasher.compute(password, hasher.setting_of(encoded)), encoded)
    except ValueError:
        return False


def is_argon2_of(password: str, encoded: str) -> bool:
    """Whether an Argon2 hash in PHC form is this password's.

    Raises:
        MemoryError: it could not be computed. The library says so as it says that a password is wrong.
    """
    try:
        return PasswordHasher().verify(encoded, password)
    except VerificationError as error:
        if str(error) == _SHORT_OF_MEMORY:
            raise MemoryError(_SHORT_OF_MEMORY) from error
        return False
    except InvalidHashError:
        return False


def without_digest(encoded: str) -> str:
    """A hash whose digest is its last part."""
    return encoded.rpartition("$")[0]


class Pbkdf2Hasher(PBKDF2PasswordHasher):
    """Django's `pbkdf2_sha256$ITERATIONS$SALT$DIGEST`."""

    def setting_of(self, encoded: str) -> str:
        """See Recomputing."""
        return without_digest(encoded)

    def compute(self, password: str, setting: str) -> str:
        """See Recomputing."""
        _, iterations, salt = setting.split("$")
        return self.encode(password, salt, int(iterations))


class Pbkdf2Sha1Hasher(Pbkdf2Hasher, PBKDF2SHA1PasswordHasher):
    """Django's `pbkdf2_sha1$…`."""

    algorithm = PBKDF2SHA1PasswordHasher.algorithm
    digest = PBKDF2SHA1PasswordHasher.digest


class BcryptSha256Hasher(BCryptSHA256PasswordHasher):
    """Django's `bcrypt_sha256$$2b$COST$…`."""

    def setting_of(self, encoded: str) -> str:
        """See Recomputing."""
        return encoded[:-BCRYPT_DIGEST_LENGTH]

    def compute(self, password: str, setting: str) -> str:
        """See Recomputing."""
        name, _, salt = setting.partition("$")
        return f"{name}${bcrypt.hashpw(self.prepare(password), salt.encode()).decode()}"

    def prepare(self, password: str) -> bytes:
        """What bcrypt is given: the password's SHA-256 in hexadecimal."""
        return hashlib.sha256(password.encode()).hexdigest().encode()

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the hash's password."""
        return is_same(self, password, encoded)


class BcryptHasher(BcryptSha256Hasher, BCryptPasswordHasher):
    """Django's `bcrypt$$2b$COST$…`, of the password's first 72 bytes, as everywhere."""

    algorithm = BCryptPasswordHasher.algorithm
    digest = BCryptPasswordHasher.digest

    def prepare(self, password: str) -> bytes:
        """What bcrypt is given: as much of the password as it reads."""
        return password.encode()[:BCRYPT_BYTES]


def scrypt(password: str, salt: bytes, *, n: int, r: int, p: int, length: int) -> bytes:
    """RFC 7914, with the memory that these parameters need instead of OpenSSL's 32 MiB; MemoryError without."""
    maxmem = 128 * r * (n + p + 2)
    try:
        return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=maxmem, dklen=length)
    except ValueError as error:  # as OpenSSL says it of wrong parameters
        if "malloc" in str(error):
            raise MemoryError(str(error)) from error
        raise


class ScryptHasher(ScryptPasswordHasher):
    """Django's `scrypt$N$SALT$R$P$DIGEST`."""

    def setting_of(self, encoded: str) -> str:
        """See Recomputing."""
        return without_digest(encoded)

    def compute(self, password: str, setting: str) -> str:
        """See Recomputing."""
        _, n, salt, r, p = setting.split("$")
        digest = scrypt(password, salt.encode(), n=int(n), r=int(r), p=int(p), length=64)
        return f"{setting}${base64.b64encode(digest).decode()}"

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the hash's password."""
        return is_same(self, password, encoded)


class _PhcHasher(BasePasswordHasher):
    """A hash in PHC form behind a name that Django finds it by."""

    def setting_of(self, encoded: str) -> str:
        """See Recomputing."""
        return without_digest(encoded)

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the hash's password."""
        return is_same(cast(Recomputing, self), password, encoded)


class PhcPbkdf2Hasher(_PhcHasher):
    """passlib's `$pbkdf2-sha256$ROUNDS$SALT$DIGEST`: RFC 8018 with a binary salt, in its own base64."""

    algorithm = "phc_pbkdf2"

    def compute(self, password: str, setting: str) -> str:
        """See Recomputing."""
        _, name, rounds, salt = setting.split("$")
        hash_name = name.partition("-")[2] or "sha1"
        digest = hashlib.pbkdf2_hmac(hash_name, password.encode(), from_ab64(salt), int(rounds))
        return f"{setting}${to_ab64(digest)}"


class PhcScryptHasher(_PhcHasher):
    """passlib's `$scrypt$ln=LOG2N,r=R,p=P$SALT$DIGEST`, 32 bytes."""

    algorithm = "phc_scrypt"

    def compute(self, password: str, setting: str) -> str:
        """See Recomputing."""
        _, _, costs, salt = setting.split("$")
        cost = {name: int(value) for name, value in (one.split("=") for one in costs.split(","))}
        digest = scrypt(password, from_b64(salt), n=2 ** cost["ln"], r=cost["r"], p=cost["p"], length=32)
        return f"{setting}${base64.b64encode(digest).decode().rstrip('=')}"


class WrappedHasher(BasePasswordHasher):
    """`wrapped$SETTING$argon2id$…`: Argon2id over the old hash of the password under SETTING."""

    algorithm = WRAPPED

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the hash's password."""
        setting, argon2 = split_wrapped(encoded)
        hasher = cast(Recomputing, get_hasher(setting.partition("$")[0]))
        try:
            return is_argon2_of(hasher.compute(password, setting), argon2)
        except ValueError:
            return False


def wrap(encoded: str) -> str:
    """Argon2id, at the configured cost, over an old hash; its digest is not part of the result."""
    hasher = cast(Recomputing, get_hasher(encoded.partition("$")[0]))
    outer = PasswordHasher(
        time_cost=settings.ARGON2_TIME_COST,
        memory_cost=settings.ARGON2_MEMORY_KIB,
        parallelism=settings.ARGON2_PARALLELISM,
    )
    return f"{WRAPPED}${hasher.setting_of(encoded)}{outer.hash(encoded)}"


def split_wrapped(encoded: str) -> tuple[str, str]:
    """The setting of the old hash, and the Argon2id hash over it."""
    setting, mark, rest = encoded.removeprefix(f"{WRAPPED}$").rpartition(_ARGON2)
    return setting, mark + rest


def from_ab64(text: str) -> bytes:
    """passlib's base64: `.` for `+`, no padding.

    Raises:
        ValueError: it is not.
    """
    return from_b64(text.replace(".", "+"))


def to_ab64(data: bytes) -> str:
    """See from_ab64()."""
    return base64.b64encode(data).decode().rstrip("=").replace("+", ".")


def from_b64(text: str) -> bytes:
    """base64 without padding, in its one canonical form.

    Raises:
        ValueError: it is not.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if base64.b64encode(data).decode().rstrip("=") != text:
        raise binascii.Error("not canonical")
    return data
