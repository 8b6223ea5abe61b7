"""Signatures of compact JWS (RFC 7515) by the two algorithms of this service: ES256 and EdDSA (RFC 7518, RFC 8037).

The key decides the algorithm, never the token. Verifying ES256 is most of what the check of a token costs, and an
access token comes with every request: so it is remembered, by its digest, that a signature was good, or made here.
That is a fact about bytes and does not change; whether the key still vouches, whether the token has expired, and
whether its session lives is judged every time anew.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
ES256: Final = ec.ECDSA(hashes.SHA256())
INTEGER_BYTES: Final = 32  # of each of the two that make an ES256 signature (RFC 7518 section 3.4)
MOST_REMEMBERED: Final = 10_000  # in each of two halves
_good: set[bytes] = set()
_good_before: set[bytes] = set()
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def sign_token(claims: Mapping[str, Any], key: PrivateKey, header: Mapping[str, str]) -> str:
    """A compact token of these claims under this header, whose alg is the key's; that it is good is remembered."""
    signed = f"{_header_segment(tuple(header.items()))}.{encode_segment(_to_json(claims).encode())}"
    token = f"{signed}.{encode_segment(sign(signed.encode(), key))}"
    _remember(_digest(token))
    return token


@lru_cache(maxsize=64)
def _header_segment(header: tuple[tuple[str, str], ...]) -> str:
    return encode_segment(_to_json(dict(header)).encode())


def sign(signed: bytes, key: PrivateKey) -> bytes:
    """The signature of some bytes in the form that JWS gives it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signed)
    return b"".join(
        number.to_bytes(INTEGER_BYTES, "big") for number in decode_dss_signature(key.sign(signed, ES256))
    )


def verify_token(token: str, key: PublicKey) -> bytes:
    """The payload of a compact token in its canonical form, signed by this key.

    Raises:
        InvalidSignature: it is not.
    """
    signed, _, signature = token.rpartition(".")
    verify(signed.encode(), decode_segment(signature), key)
    return decode_segment(signed.partition(".")[2])


def verify_token_again(token: str, key: PublicKey) -> bytes:
    """As verify_token, for a token that was signed here or came before; `key` is the one that its header names."""
    digest = _digest(token)
    if digest in _good or digest in _good_before:
        return decode_segment(token.split(".")[1])
    payload = verify_token(token, key)
    _remember(digest)
    return payload


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _remember(digest: bytes) -> None:
    """Only what is good. Full, the older half is forgotten: it is no store."""
    global _good, _good_before
    if len(_good) >= MOST_REMEMBERED:
        _good, _good_before = set(), _good
    _good.add(digest)


def verify(signed: bytes, signature: bytes, key: PublicKey) -> None:
    """Verify a signature.

    Raises:
        InvalidSignature: it is none of this key's.
    """
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
        return
    if len(signature) != 2 * INTEGER_BYTES:
        raise InvalidSignature
    r, s = int.from_bytes(signature[:INTEGER_BYTES], "big"), int.from_bytes(signature[INTEGER_BYTES:], "big")
    key.verify(encode_dss_signature(r, s), signed, ES256)


def read_json(data: bytes) -> Any:
    """The JSON of a header or of claims.

    What two readers may take differently is none (RFC 7519 section 4, RFC 8725 section 3.7).

    Raises:
        ValueError: it is none, is not UTF-8, or names a member twice.
    """
    return _from_json(data.decode())


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Members by name. Raises ValueError: one stands there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands there twice")
    return found


_from_json = json.JSONDecoder(object_pairs_hook=unique_members).decode


def encode_segment(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_segment(segment: str) -> bytes:
    """The bytes of a segment of canonical base64url without padding."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def forget() -> None:
    """Forget which signatures were good."""
    _good.clear()
    _good_before.clear()
