"""Key rings without a database, for tests of what is made with keys."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm

import tests.ready  # noqa: F401
from secure_auth import keys
from secure_auth.keys import OpenKey, Ring
from secure_auth.models import Key


def signing_key(state: str = "active") -> OpenKey:
    """A fresh ES256 key."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = {
        name: str(value) for name, value in ECAlgorithm.to_jwk(private.public_key(), as_dict=True).items()
    }
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return OpenKey(keys.thumbprint(public), Key.Purpose.SIGNING, state, "ES256", public, der)


def digest_key() -> OpenKey:
    return OpenKey(secrets.token_hex(16), Key.Purpose.DIGEST, "active", "HS256", {}, secrets.token_bytes(32))


def rotate_digest_ring(*, keep: bool = True) -> None:
    """Let a new digest key be the active one, beside those before it, or in their place."""
    for_ever, before = keys._rings[Key.Purpose.DIGEST]
    retired = [replace(key, state=Key.State.RETIRED) for key in before.keys.values()] if keep else []
    active = digest_key()
    live = {key.kid: key for key in [*retired, active]}
    keys._rings[Key.Purpose.DIGEST] = (for_ever, Ring(active, live))


@contextmanager
def rings(active: OpenKey, *others: OpenKey) -> Iterator[None]:
    """Let the service find these signing keys, and a digest key."""
    before = dict(keys._rings)
    signing = Ring(active, {key.kid: key for key in (active, *others)})
    digest = digest_key()
    for_ever = time.monotonic() + 10**6
    keys._rings[Key.Purpose.SIGNING] = (for_ever, signing)
    keys._rings[Key.Purpose.DIGEST] = (for_ever, Ring(digest, {digest.kid: digest}))
    try:
        yield
    finally:
        keys._rings.clear()
        keys._rings.update(before)


@contextmanager
def encryption_ring() -> Iterator[None]:
    """Let the service find a key to seal with."""
    before = dict(keys._rings)
    kid = secrets.token_hex(16)
    key = OpenKey(kid, Key.Purpose.ENCRYPTION, "active", "A256GCM", {}, secrets.token_bytes(32))
    keys._rings[Key.Purpose.ENCRYPTION] = (time.monotonic() + 10**6, Ring(key, {kid: key}))
    try:
        yield
    finally:
        keys._rings.clear()
        keys._rings.update(before)
