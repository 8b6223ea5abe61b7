"""Canonical JSON (RFC 8785) and the salted commitments that stand in an event for personal data.

commitment = base64(SHA-256(salt || canonical JSON of {field: value})), salt = 128 random bits. Without the
salt a commitment tells nothing about its value: deleting the salt erases the value, and the event stays as it
was hashed.
"""

import base64
import hashlib
import hmac
import secrets
from json.encoder import encode_basestring
from typing import Any

import rfc8785

SALT_BYTES = 16


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of JSON data.

    Raises:
        ValueError: what JSON or an IEEE double cannot hold.
    """
    return rfc8785.dumps(value)


def new_salts(count: int) -> list[bytes]:
    """So many times 128 random bits, by one question to the system."""
    drawn = secrets.token_bytes(SALT_BYTES * count)
    return [drawn[at : at + SALT_BYTES] for at in range(0, len(drawn), SALT_BYTES)]


def commit(salt: bytes, field: str, value: str) -> str:
    """The commitment to one field's value.

    Raises:
        ValueError: text that UTF-8 cannot hold.
    """
    return encode(hashlib.sha256(salt + _canonical_text(field, value)).digest())


def _canonical_text(field: str, value: str) -> bytes:
    """`canonical({field: value})` in a fifth of the time: of text, Python's JSON escapes what RFC 8785 does."""
    return f"{{{encode_basestring(field)}:{encode_basestring(value)}}}".encode()


def is_opening(commitment: str, salt: str, field: str, value: str) -> bool:
    """Whether this base64 salt and this value open the commitment."""
    try:
        raw = base64.b64decode(salt, validate=True)
    except ValueError:
        return False
    # A stored value may have been altered into what is no text: it opens nothing, and must hide no other opening.
    is_whole = len(raw) == SALT_BYTES and isinstance(value, str)
    return is_whole and hmac.compare_digest(commit(raw, field, value), commitment)


def encode(raw: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(raw).decode()
