"""Which password hashes of other systems are taken, and in which form they are stored.

Taken are Django's own (PBKDF2, bcrypt, scrypt, Argon2), bare bcrypt and Argon2, passlib's PBKDF2 and scrypt, Werkzeug's
(Flask) and what `export_users` writes. Whoever chooses a hash's cost chooses what each login to that account costs us:
beyond the bounds here a hash is refused, so that no file makes a login take minutes or gigabytes.
"""

import base64
import binascii
import re
from collections.abc import Callable

from secure_auth.hashers import WRAPPED, from_ab64, from_b64, split_wrapped, to_ab64

MOST_LENGTH = 512  # of the stored form
MOST_PBKDF2_ITERATIONS = 2_000_000  # about a second
MOST_BCRYPT_COST = 14  # the same
MOST_MEMORY_KIB = 128 * 1024  # of scrypt and Argon2
MOST_SCRYPT_WORK = 2**21  # N * r * p
MOST_ARGON2_WORK_KIB = 2**20  # memory * passes
MOST_LANES = 16
DIGEST_BYTES = {"sha1": 20, "sha256": 32, "sha512": 64}

_PBKDF2 = re.compile(r"pbkdf2_(sha256|sha1)\$([0-9]{1,10})\$([!-#%-~]{1,128})\$([A-Za-z0-9+/]+=*)")
# The last characters of salt and digest stand for fewer bits than the others.
_BCRYPT = re.compile(
    r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]", re.ASCII
)
_SCRYPT = re.compile(
    r"scrypt\$([0-9]{1,10})\$([!-#%-~]{1,128})\$([0-9]{1,5})\$([0-9]{1,5})\$([A-Za-z0-9+/]{86}==)"
)
_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,5})"
    r"\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})"
)
_PHC_PBKDF2 = re.compile(
    r"\$pbkdf2(?:-(sha1|sha256|sha512))?\$([0-9]{1,10})\$([./A-Za-z0-9]{1,128})\$([./A-Za-z0-9]{27,86})"
)
_PHC_SCRYPT = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,5}),p=([0-9]{1,5})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{43})"
)
_WERKZEUG_PBKDF2 = re.compile(
    r"pbkdf2:(sha1|sha256|sha512):([0-9]{1,10})\$([!-#%-~]{1,128})\$((?:[0-9a-f]{2})+)"
)
_WERKZEUG_SCRYPT = re.compile(
    r"scrypt:([0-9]{1,10}):([0-9]{1,5}):([0-9]{1,5})\$([!-#%-~]{1,128})\$([0-9a-f]{128})"
)


class BadHash(ValueError):
    """A hash that is not taken; `code` says why, and nothing repeats the hash."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def recognize(text: str) -> str:
    """The stored form of a hash.

    Raises:
        BadHash: unknown_hash, malformed_hash, or excessive_cost.
    """
    found = next((read for beginning, read in _READERS if text.startswith(beginning)), None)
    if found is None:
        raise BadHash("unknown_hash")
    try:
        stored = found(text)
    except binascii.Error as error:
        raise BadHash("malformed_hash") from error
    if len(stored) > MOST_LENGTH:
        raise BadHash("malformed_hash")
    return stored


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise BadHash("malformed_hash")
    return found


def _demand(is_within: bool, code: str = "excessive_cost") -> None:
    if not is_within:
        raise BadHash(code)


def _demand_digest(digest: bytes, name: str) -> None:
    _demand(len(digest) == DIGEST_BYTES[name], "malformed_hash")


def _demand_iterations(iterations: str) -> None:
    _demand(int(iterations) >= 1, "malformed_hash")
    _demand(int(iterations) <= MOST_PBKDF2_ITERATIONS)


def _demand_scrypt(n: int, r: int, p: int) -> None:
    """RFC 7914 section 6: N is a power of two; and what that costs."""
    _demand(n > 1 and n & (n - 1) == 0 and r > 0 and p > 0, "malformed_hash")
    _demand(n * r // 8 <= MOST_MEMORY_KIB and n * r * p <= MOST_SCRYPT_WORK)


def _pbkdf2(text: str) -> str:
    name, iterations, _, digest = _match(_PBKDF2, text).groups()
    _demand_digest(base64.b64decode(digest, validate=True), name)
    _demand_iterations(iterations)
    return text


def _phc_pbkdf2(text: str) -> str:
    name, rounds, salt, digest = _match(_PHC_PBKDF2, text).groups()
    from_ab64(salt)
    _demand_digest(from_ab64(digest), name or "sha1")
    _demand_iterations(rounds)
    return f"phc_pbkdf2{text}"


def _werkzeug_pbkdf2(text: str) -> str:
    name, iterations, salt, digest = _match(_WERKZEUG_PBKDF2, text).groups()
    return _phc_pbkdf2(
        f"$pbkdf2-{name}${iterations}${to_ab64(salt.encode())}${to_ab64(bytes.fromhex(digest))}"
    )


def _bcrypt(text: str) -> str:
    cost = int(_match(_BCRYPT, text)[1])
    _demand(4 <= cost <= 31, "malformed_hash")
    _demand(cost <= MOST_BCRYPT_COST)
    return f"bcrypt${text}"


def _django_bcrypt(text: str) -> str:
    name, _, rest = text.partition("$")
    return f"{name}{_bcrypt(rest).removeprefix('bcrypt')}"


def _scrypt(text: str) -> str:
    n, _, r, p, _ = _match(_SCRYPT, text).groups()
    _demand_scrypt(int(n), int(r), int(p))
    return text


def _phc_scrypt(text: str) -> str:
    log2n, r, p, salt, digest = _match(_PHC_SCRYPT, text).groups()
    from_b64(salt)
    from_b64(digest)
    _demand_scrypt(2 ** int(log2n), int(r), int(p))
    return f"phc_scrypt{text}"


def _werkzeug_scrypt(text: str) -> str:
    n, r, p, salt, digest = _match(_WERKZEUG_SCRYPT, text).groups()
    return _scrypt(f"scrypt${n}${salt}${r}${p}${base64.b64encode(bytes.fromhex(digest)).decode()}")


def _argon2(text: str) -> str:
    memory, passes, lanes, salt, digest = _match(_ARGON2, text).groups()
    from_b64(salt)
    from_b64(digest)
    m, t, p = int(memory), int(passes), int(lanes)
    _demand(t >= 1 and p >= 1 and m >= 8 * p, "malformed_hash")
    _demand(m <= MOST_MEMORY_KIB and m * t <= MOST_ARGON2_WORK_KIB and p <= MOST_LANES)
    return f"argon2{text}"


def _wrapped(text: str) -> str:
    """What export_users writes of an account that was imported with --wrap and never signed in since."""
    setting, argon2 = split_wrapped(text)
    _argon2(argon2)
    name = setting.partition("$")[0]
    _demand(name in _BLANKS, "malformed_hash")
    recognize(f"{setting}{'' if 'bcrypt' in name else '$'}{_BLANKS[name](setting)}")
    return text


def _sha_blank(setting: str) -> str:
    found = re.match(r"phc_pbkdf2\$pbkdf2-?([a-z0-9]*)\$", setting)
    return to_ab64(bytes(DIGEST_BYTES.get(found[1] if found and found[1] else "sha1", 0)))


# A digest of the right length for a setting that stands without one.
_BLANKS: dict[str, Callable[[str], str]] = {
    "pbkdf2_sha256": lambda _: base64.b64encode(bytes(32)).decode(),
    "pbkdf2_sha1": lambda _: base64.b64encode(bytes(20)).decode(),
    "bcrypt": lambda _: "." * 31,
    "bcrypt_sha256": lambda _: "." * 31,
    "scrypt": lambda _: base64.b64encode(bytes(64)).decode(),
    "phc_pbkdf2": _sha_blank,
    "phc_scrypt": lambda _: base64.b64encode(bytes(32)).decode().rstrip("="),
}
_READERS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("pbkdf2_", _pbkdf2),
    ("pbkdf2:", _werkzeug_pbkdf2),
    ("$pbkdf2", _phc_pbkdf2),
    ("bcrypt_sha256$", _django_bcrypt),
    ("bcrypt$", _django_bcrypt),
    ("$2", _bcrypt),
    ("scrypt$", _scrypt),
    ("scrypt:", _werkzeug_scrypt),
    ("$scrypt$", _phc_scrypt),
    ("argon2$", lambda text: _argon2(text.removeprefix("argon2"))),
    ("$argon2", _argon2),
    ("phc_", lambda text: recognize(text.partition("$")[1] + text.partition("$")[2])),
    (f"{WRAPPED}$", _wrapped),
)
