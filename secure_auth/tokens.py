"""Partial, access and refresh tokens: simplejwt's token classes over the signing ring.

Verification pins the algorithm to the key that `kid` names and the header to what this service writes: exactly alg,
kid and typ, so jwk, jku, x5u and crit cannot steer it (RFC 8725 sections 3.1, 3.10). The header's typ and the claim
token_type both name the kind: kinds are mutually exclusive (RFC 8725 section 3.12). No token carries personal data.
"""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, ClassVar, Self

from cryptography.exceptions import InvalidSignature
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    ExpiredTokenError,
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.tokens import Token

from secure_auth import jws, keys
from secure_auth.keys import OpenKey
from secure_auth.models import Key, PendingLogin, Session, User

MAX_TOKEN_LENGTH = 4096
CLOCK_SKEW_SECONDS = 60
TEXTS, TIMES = ("sub", "jti", "token_type"), ("iat", "exp")
LATEST = 253_402_300_799  # the last second of the year 9999, beyond which there is no date
ACR = "aal2"
ACCESS_TYPE = "at+jwt"
# Of access tokens whose account must change its password first: no other service takes what is addressed to nobody.
RESTRICTED_AUDIENCE = "urn:secure-auth:password-change"
# The one base64url form of some bytes (RFC 4648 section 3.5): no padding, no blanks, and no stray bits in a last group.
SEGMENT = "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{4}|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]|[A-Za-z0-9_-][AQgw])"
COMPACT = re.compile(rf"({SEGMENT})\.{SEGMENT}\.{SEGMENT}")


class InvalidToken(Exception):
    """The token is `malformed`, `expired`, or `forged`: not what this service writes for this door."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class MalformedToken(TokenBackendError):
    """No compact token with the header that this service writes."""


class RingBackend(TokenBackend):
    """simplejwt's backend with keys from the ring, chosen by `kid`."""

    def __init__(self, header_type: str) -> None:
        super().__init__(
            settings.SIGNING_ALGORITHM, audience=settings.TOKEN_AUDIENCE, issuer=settings.TOKEN_ISSUER
        )
        self.header_type = header_type
        self.is_access = header_type == ACCESS_TYPE
        self.audiences = (self.audience, *([RESTRICTED_AUDIENCE] if self.is_access else []))
        self.texts = (*TEXTS, "sid", "acr") if self.is_access else TEXTS
        self.times = (*TIMES, "auth_time") if self.is_access else TIMES

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign with the active key."""
        key = keys.ring(Key.Purpose.SIGNING).active
        claims = {"aud": self.audience, **payload, "iss": self.issuer}
        header = {"alg": key.algorithm, "kid": key.kid, "typ": self.header_type}
        return jws.sign_token(claims, key.private, header)

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Verify signature, header, issuer, audience and expiry; `verify=False` is refused."""
        if not verify or not isinstance(token, str):
            raise MalformedToken("Token is invalid")
        key = self._key(token)
        try:
            claims = jws.read_json(jws.verify_token_again(token, key.verifying))
        except (InvalidSignature, ValueError, RecursionError) as error:
            raise TokenBackendError("Token is invalid") from error
        self._check_claims(claims)
        claims["kid"] = key.kid  # no claim of ours: which key vouches for the others
        return claims  # type: ignore[no-any-return] # _check_claims takes an object only

    def _check_claims(self, claims: Any) -> None:
        """What RFC 7519 section 4.1 asks of the claims that every token of ours has."""
        if not isinstance(claims, dict) or (self.is_access and type(claims.get("amr")) is not list):
            raise TokenBackendError("Token is invalid")
        if claims.get("iss") != self.issuer or claims.get("aud") not in self.audiences:
            raise TokenBackendError("Token is invalid")
        texts = [*(claims.get(name) for name in self.texts), *(claims["amr"] if self.is_access else ())]
        times = [claims.get(name) for name in self.times]
        if not all(type(text) is str and text.isascii() and text.isprintable() for text in texts):
            raise TokenBackendError("Token is invalid")  # no database takes it as an id
        if any(type(moment) is not int for moment in times):
            raise TokenBackendError("Token is invalid")
        now = time.time()
        if claims["exp"] <= now:
            raise TokenBackendExpiredToken("Token is expired")
        if claims["iat"] > now + CLOCK_SKEW_SECONDS or claims["exp"] > LATEST or "nbf" in claims:
            raise TokenBackendError("Token is invalid")

    def _key(self, token: str) -> keys.OpenKey:
        compact = COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN_LENGTH else None
        if compact is None:
            raise MalformedToken("Token is invalid")
        header = _header(compact[1])
        key = keys.ring(Key.Purpose.SIGNING).keys.get(header["kid"])
        if key is None or header != {"alg": key.algorithm, "kid": key.kid, "typ": self.header_type}:
            raise TokenBackendError("Token is invalid")
        return key


@cache
def _backend(header_type: str) -> RingBackend:
    return RingBackend(header_type)


@lru_cache(maxsize=64)  # all genuine tokens of a kind and key have one header
def _header(segment: str) -> dict[str, str]:
    """The JOSE header of a compact token; anything but what this service writes is refused before any other work."""
    try:
        header = jws.read_json(jws.decode_segment(segment))
    except (ValueError, RecursionError) as error:
        raise MalformedToken("Token is invalid") from error
    if not isinstance(header, dict) or set(header) != {"alg", "kid", "typ"} or type(header["kid"]) is not str:
        raise MalformedToken("Token is invalid")
    return header


def _fault(error: TokenError) -> str:
    if isinstance(error, ExpiredTokenError):
        return "expired"
    return "malformed" if isinstance(error.__cause__, MalformedToken) else "forged"


class RingToken(Token):
    """A token of this service. Subclasses name their kind and their header type."""

    header_type: ClassVar[str]

    @classmethod
    def get_token_backend(cls) -> RingBackend:
        """The backend that pins this kind's header type."""
        return _backend(cls.header_type)

    @classmethod
    def read(cls, encoded: str) -> Self:
        """Verify an encoded token.

        Raises:
            InvalidToken: malformed, forged, expired or of another kind.
        """
        try:
            return cls(encoded)  # type: ignore[arg-type]
        except TokenError as error:
            raise InvalidToken(_fault(error)) from error

    @classmethod
    def issue(cls, claims: dict[str, Any]) -> str:
        """Sign a token of this kind with these claims. simplejwt's own way sets a life and an id that ours replace."""
        return cls.get_token_backend().encode({"token_type": cls.token_type, **claims})

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class PartialToken(RingToken):
    """Opens the second step and enrolment of one pending login, nothing else."""

    token_type = "partial"  # noqa: S105
    header_type = "partial+jwt"
    lifetime = timedelta(seconds=settings.PARTIAL_TOKEN_SECONDS)


class AccessToken(RingToken):
    """RFC 9068."""

    token_type = "access"  # noqa: S105
    header_type = ACCESS_TYPE
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)


class RefreshToken(RingToken):
    """Names one generation of a session. Its jti is derived from both, so that it can be answered again unstored."""

    token_type = "refresh"  # noqa: S105
    header_type = "refresh+jwt"
    lifetime = timedelta(seconds=settings.SESSION_IDLE_SECONDS)


def is_partial(encoded: str) -> bool:
    """Whether this is a genuine partial token, so that a door for two kinds knows which one it was shown."""
    try:
        PartialToken.read(encoded)
    except InvalidToken:
        return False
    return True


def enrols(encoded: str) -> bool:
    """Whether this is a genuine partial token of a first login."""
    try:
        return PartialToken.read(encoded).payload.get("next") == PendingLogin.Next.ENROLL
    except InvalidToken:
        return False


@dataclass(frozen=True)
class TokenPair:
    """What a completed login or a refresh answers. Lifetimes in seconds."""

    access: str
    refresh: str
    expires_in: int
    refresh_expires_in: int
    session_id: str
    password_change_required: bool = False

    def __repr__(self) -> str:
        return f"<TokenPair of {self.session_id}>"


def issue_partial(pending: PendingLogin) -> str:
    """The partial token of a pending login; it expires with it."""
    claims = {
        "sub": pending.user_id,
        "jti": pending.id,
        "next": pending.next,
        "iat": int(time.time()),
        "exp": int(pending.expires_at.timestamp()),
    }
    return PartialToken.issue(claims)


def issue_access(session: Session, user: User, *, now: datetime) -> tuple[str, int]:
    """An access token of a session, and its lifetime in seconds; it never outlives the session.

    Of an account that must change its password first it has no roles, and is addressed to no other service.
    """
    restricted = bool(user.must_change_password)
    seconds = min(settings.ACCESS_TOKEN_SECONDS, int((session.expires_at - now).total_seconds()))
    issued = int(now.timestamp())
    claims = {
        "sub": user.pk,
        "sid": session.id,
        "client_id": settings.TOKEN_CLIENT_ID,
        "jti": secrets.token_hex(16),
        "iat": issued,
        "exp": issued + seconds,
        "auth_time": int(session.auth_time.timestamp()),
        "amr": session.amr.split(),
        "acr": ACR,
        "roles": [] if restricted else user.roles,
        **({"aud": RESTRICTED_AUDIENCE} if restricted else {}),
    }
    return AccessToken.issue(claims), seconds


def issue_refresh(session: Session, *, digest_key: OpenKey, now: datetime) -> tuple[str, int]:
    """The refresh token of the session's generation, and how many seconds it has left. Every claim comes from the row,
    and from the digest key that the session keeps: asked for again, it is the same token.
    """
    issued, expires = int(session.rotated_at.timestamp()), int(session.idle_expires_at.timestamp())
    claims = {
        "sub": session.user_id,
        "sid": session.id,
        "gen": session.generation,
        "jti": refresh_jti(session.id, session.generation, digest_key),
        "iat": issued,
        "exp": expires,
    }
    return RefreshToken.issue(claims), expires - int(now.timestamp())


def refresh_jti(session_id: str, generation: int, digest_key: OpenKey) -> str:
    """The jti of a session's generation: keyed, so that nobody else can name the next one.

    A session keeps the digest key under which it was opened, so that every node names the same successor, whichever
    key is the active one to it.
    """
    return keys.digest_with(digest_key, "refresh", session_id, str(generation))[:32]


def issue_pair(session: Session, user: User, *, digest_key: OpenKey, now: datetime) -> TokenPair:
    """Both tokens of a session's present generation."""
    access, expires_in = issue_access(session, user, now=now)
    refresh, refresh_expires_in = issue_refresh(session, digest_key=digest_key, now=now)
    return TokenPair(
        access,
        refresh,
        expires_in,
        refresh_expires_in,
        session.id,
        password_change_required=bool(user.must_change_password),
    )
