"""Accounts as other systems keep them, for the tests of import_users."""

import base64
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import bcrypt
from argon2 import PasswordHasher

from tests.client import PASSWORD, new_email

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ROUNDS = 1000


def pbkdf2(password: str = PASSWORD, *, name: str = "sha256", salt: str = "oldsalt") -> bytes:
    return hashlib.pbkdf2_hmac(name, password.encode(), salt.encode(), ROUNDS)


def django_hash(password: str = PASSWORD) -> str:
    return f"pbkdf2_sha256${ROUNDS}$oldsalt${base64.b64encode(pbkdf2(password)).decode()}"


def scrypt(n: int, p: int) -> bytes:
    return hashlib.scrypt(PASSWORD.encode(), salt=b"oldsalt", n=n, r=8, p=p, dklen=64, maxmem=2**27)


@functools.cache
def hashes() -> dict[str, str]:
    """PASSWORD as each system keeps it."""
    bare = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    hexed = hashlib.sha256(PASSWORD.encode()).hexdigest().encode()
    salt = base64.b64encode(b"oldsalt").decode().rstrip("=")
    digest = base64.b64encode(pbkdf2()).decode().rstrip("=").replace("+", ".")
    argon2 = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    return {
        "django pbkdf2_sha256": django_hash(),
        "django pbkdf2_sha1": f"pbkdf2_sha1${ROUNDS}$oldsalt${base64.b64encode(pbkdf2(name='sha1')).decode()}",
        "django bcrypt": f"bcrypt${bare}",
        "django bcrypt_sha256": f"bcrypt_sha256${bcrypt.hashpw(hexed, bcrypt.gensalt(4)).decode()}",
        "django scrypt": f"scrypt$16384$oldsalt$8$5${base64.b64encode(scrypt(16384, 5)).decode()}",
        "django argon2": f"argon2{argon2}",
        "bare bcrypt 2b": bare,
        "bare bcrypt 2y": f"$2y${bare[4:]}",
        "bare bcrypt 2a": f"$2a${bare[4:]}",
        "bare argon2": argon2,
        "passlib pbkdf2": f"$pbkdf2-sha256${ROUNDS}${salt}${digest}",
        "werkzeug pbkdf2": f"pbkdf2:sha256:{ROUNDS}$oldsalt${pbkdf2().hex()}",
        "werkzeug scrypt": f"scrypt:32768:8:1$oldsalt${scrypt(32768, 1).hex()}",
    }


def row(**fields: Any) -> dict[str, Any]:
    """An account with a new address and Django's hash of PASSWORD."""
    return {"email": new_email("moved"), "password": django_hash(), **fields}


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
