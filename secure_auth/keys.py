"""Key rings: signing, encryption, audit and digest keys, in the database, sealed by the master key.

Each ring has one active and one next key from the first start; retired keys still verify and decrypt; of one that is
gone only its public half is left (`rings.py` moves them on). Processes keep
an opened ring for KEY_CACHE_SECONDS, so that a rotation reaches all of them without a restart. A key that the master
key cannot open stops the process: it would otherwise answer every token with a refusal, or seal secrets that no other
node can read. `kid` is the RFC 7638 thumbprint of a public key, random for a symmetric one.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.utils import timezone
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from secure_auth.master_key import master_key, master_keys
from secure_auth.models import Key
from secure_auth.rows import fetch_values

NONCE_BYTES = 12
NEVER = datetime.min.replace(tzinfo=UTC)  # older than all: an installation noted no times with its first keys
THUMBPRINT_MEMBERS = ("crv", "e", "kty", "n", "x", "y")  # RFC 7638 section 3.2, RFC 8037 section 2
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def seal(plain: bytes, *, key: bytes, context: str) -> bytes:
    """AES-256-GCM with a random nonce in front; `context` is authenticated, so that a copied row does not open."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def unseal(sealed: bytes, *, key: bytes, context: str) -> bytes:
    """Undo seal().

    Raises:
        InvalidTag: another key, another context or altered bytes.
    """
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())


@dataclass(frozen=True, eq=False)
class OpenKey:
    """A key ready for use. `secret` is raw for symmetric keys, PKCS #8 for private ones."""

    kid: str
    purpose: str
    state: str
    algorithm: str
    public: dict[str, str]
    secret: bytes

    def __repr__(self) -> str:
        return f"<OpenKey {self.purpose} {self.kid} {self.state}>"

    @property
    def private(self) -> PrivateKey:
        """The signing key."""
        return _private_key(self.secret)

    @property
    def verifying(self) -> Any:
        """The public half."""
        return _public_key(self.secret)


@lru_cache(maxsize=64)
def _private_key(der: bytes) -> PrivateKey:
    key = load_der_private_key(der, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise ImproperlyConfigured("a key ring holds a key of an unknown type")
    return key


@lru_cache(maxsize=64)
def _public_key(der: bytes) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    return _private_key(der).public_key()


@dataclass(frozen=True)
class Ring:
    """All keys of one purpose by kid, in the order in which they became active, and the active one."""

    active: OpenKey
    keys: dict[str, OpenKey]


_rings: dict[str, tuple[float, Ring]] = {}
_lock = threading.Lock()


def ring(purpose: str) -> Ring:
    """The ring of a purpose, KEY_CACHE_SECONDS old, and for the time of one more reading."""
    cached = _rings.get(purpose)
    now = time.monotonic()
    if cached and cached[0] > now:
        return cached[1]
    # One thread reads, the others go on with what was good a moment ago: a thread that holds one of the pool's
    # connections and waited here for one that waits for a connection would stand still, and all others behind it.
    if not _lock.acquire(blocking=cached is None):
        return cached[1]  # type: ignore[index] # only a ring that is there is not waited for
    try:
        cached = _rings.get(purpose)
        if cached and cached[0] > now:
            return cached[1]
        fresh = read_ring(purpose)
        _rings[purpose] = (now + settings.KEY_CACHE_SECONDS, fresh)
        return fresh
    finally:
        _lock.release()


def distrust_ring(purpose: str) -> None:
    """Read a ring anew at its next use: a key that it holds turned out to be gone."""
    cached = _rings.get(purpose)
    if cached:
        _rings[purpose] = (0.0, cached[1])


def sealing_key(purpose: str) -> OpenKey:
    """The active key of a ring, for a row of the present transaction; it stays active until that ends.

    A rotation waits for who holds the key here, and who comes after it gets the next one: once a key is retired no
    row is sealed with it any more, on any node, so that it can be destroyed when none bears its id.
    """
    key = ring(purpose).active
    if not _hold_active(key.kid):
        distrust_ring(purpose)
        key = read_ring(purpose).active
        if not _hold_active(key.kid):
            raise OperationalError(f"the {purpose} key ring moved on twice at once")
    return key


def _hold_active(kid: str) -> bool:
    lock = "FOR SHARE" if connection.features.has_select_for_update else ""
    held = f"SELECT 1 FROM secure_auth_key WHERE kid = %s AND state = 'active' {lock}"  # noqa: S608 constants
    return fetch_values(held, [kid]) is not None


# Whether the key that a statement's value names is not gone.
LIVE = "EXISTS (SELECT 1 FROM secure_auth_key WHERE kid = %s AND state <> 'gone')"


def is_live(kid: str) -> bool:
    """Whether a key still vouches for anything; read from the database."""
    return Key.objects.filter(kid=kid).exclude(state=Key.State.GONE).exists()


def read_rings() -> None:
    """Read every ring before the first request of this process, so that none waits for another's reading."""
    for purpose in Key.Purpose:
        ring(purpose)


def read_ring(purpose: str) -> Ring:
    """Read and open a ring from the database.

    Raises:
        ImproperlyConfigured: there is none, or the master key does not open it.
    """
    live = Key.objects.filter(purpose=purpose).exclude(state=Key.State.GONE).order_by("created_at")
    in_order = sorted(live, key=lambda row: (row.state == Key.State.NEXT, row.activated_at or NEVER))
    keys = {row.kid: _open(row) for row in in_order}
    active = [key for key in keys.values() if key.state == Key.State.ACTIVE]
    if len(active) != 1:
        raise ImproperlyConfigured(f"the {purpose} key ring has no active key")
    return Ring(active[0], keys)


def open_secret(row: Key, masters: list[bytes]) -> bytes:
    """The secret of a key, by the first of these master keys that opens it; InvalidTag when none does."""
    for master in masters:
        with suppress(InvalidTag):
            return unseal(bytes(row.sealed), key=master, context=f"{row.purpose}:{row.kid}")
    raise InvalidTag


def _open(row: Key) -> OpenKey:
    try:
        secret = open_secret(row, master_keys())
    except InvalidTag as error:
        raise ImproperlyConfigured("the master key does not open the key rings in the database") from error
    return OpenKey(row.kid, row.purpose, row.state, row.algorithm, row.public, secret)


def create_key(purpose: str, state: str, *, token_seconds: int = 0) -> Key:
    """Make and store a new key of a ring. The caller holds the ring's lock."""
    kid = "-"
    while kid.startswith("-"):  # an operator's command would take it for an option
        secret, public, algorithm = _generate(purpose)
        kid = thumbprint(public) if public else secrets.token_hex(16)
    if public:
        public = {**public, "kid": kid, "alg": algorithm, "use": "sig"}
    sealed = seal(secret, key=master_key(), context=f"{purpose}:{kid}")
    activated = timezone.now() if state == Key.State.ACTIVE else None
    return Key.objects.create(
        kid=kid,
        purpose=purpose,
        state=state,
        algorithm=algorithm,
        public=public,
        sealed=sealed,
        activated_at=activated,
        token_seconds=token_seconds,
    )


def _generate(purpose: str) -> tuple[bytes, dict[str, str], str]:
    """A fresh secret, its public JWK (empty for a symmetric key) and its algorithm."""
    if purpose in (Key.Purpose.ENCRYPTION, Key.Purpose.DIGEST):
        return secrets.token_bytes(32), {}, "A256GCM" if purpose == Key.Purpose.ENCRYPTION else "HS256"
    eddsa = purpose == Key.Purpose.AUDIT or settings.SIGNING_ALGORITHM == "EdDSA"
    private: PrivateKey = (
        ed25519.Ed25519PrivateKey.generate() if eddsa else ec.generate_private_key(ec.SECP256R1())
    )
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    members = {name: str(jwk[name]) for name in THUMBPRINT_MEMBERS if name in jwk}
    return der, members, "EdDSA" if eddsa else "ES256"


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: base64url SHA-256 of the required members in lexicographic order."""
    members = {name: jwk[name] for name in THUMBPRINT_MEMBERS if name in jwk}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def token_seconds() -> int:
    """The longest life of a token that this process may sign, in seconds."""
    return max(settings.PARTIAL_TOKEN_SECONDS, settings.ACCESS_TOKEN_SECONDS, settings.SESSION_IDLE_SECONDS)


def note_token_seconds() -> None:
    """Keep with each key that may sign how long its tokens may live; once noted it is never less.

    Before the first token of that length: a key outlives all its tokens, also when the lifetime is set lower later.
    """
    signing = Key.objects.filter(purpose=Key.Purpose.SIGNING, state__in=(Key.State.ACTIVE, Key.State.NEXT))
    signing.filter(token_seconds__lt=token_seconds()).update(token_seconds=token_seconds())


def jwks() -> dict[str, list[dict[str, str]]]:
    """The public signing keys (RFC 7517): active, next and those that tokens may still bear.

    Read from the database, so that no node publishes a set without the next key once that key's age is counted.
    """
    live = Key.objects.filter(purpose=Key.Purpose.SIGNING).exclude(state=Key.State.GONE)
    return {"keys": list(live.order_by("created_at").values_list("public", flat=True))}


def digest(label: str, *parts: str, kid: str | None = None) -> str:
    """Keyed digest of text under a label, hexadecimal: HMAC-SHA-256 with the digest ring's key `kid` (active: None).

    Raises:
        KeyError: no such key, or it is gone.
    """
    keys = ring(Key.Purpose.DIGEST)
    if kid is not None and kid not in keys.keys:  # perhaps one that another node read sooner
        keys = read_ring(Key.Purpose.DIGEST)
    return digest_with(keys.active if kid is None else keys.keys[kid], label, *parts)


def digest_with(key: OpenKey, label: str, *parts: str) -> str:
    """digest() with a key at hand, which may have moved on since it was read."""
    message = json.dumps([label, *parts], ensure_ascii=True).encode()
    return hmac.digest(key.secret, message, "sha256").hex()


def digest_kid() -> str:
    """The id of the key that digest() uses now."""
    return ring(Key.Purpose.DIGEST).active.kid
