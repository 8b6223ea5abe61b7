"""Tokens: what this service takes for its own, and nothing else."""

import base64
import contextlib
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings

import tests.ready  # noqa: F401
from secure_auth import digest_ring, jws, tokens
from secure_auth.keys import OpenKey
from secure_auth.models import Session, User
from secure_auth.tokens import AccessToken, InvalidToken, PartialToken, RefreshToken, RingToken
from tests.rings import rings, signing_key

KINDS: set[type[RingToken]] = {AccessToken, RefreshToken, PartialToken}


def present() -> datetime:
    """Now, to the second: read by each test, since a run of all tests outlasts a token."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def key() -> Iterator[OpenKey]:
    active = signing_key()
    with rings(active):
        yield active


@pytest.fixture
def session() -> Session:
    now = present()
    later = now + timedelta(hours=1)
    return Session(
        user_id="someone",
        auth_time=now,
        amr="pwd otp mfa",
        rotated_at=now,
        idle_expires_at=later,
        expires_at=later,
    )


def pair(session: Session) -> dict[type[RingToken], str]:
    """A token of each kind that names a session."""
    issued = tokens.issue_pair(
        session, User(id="someone", role="admin"), digest_key=digest_ring.active_key(), now=present()
    )
    return {AccessToken: issued.access, RefreshToken: issued.refresh}


def test_each_kind_is_read_as_itself_only(key: OpenKey, session: Session) -> None:
    partial = PartialToken()
    partial["sub"] = "someone"
    issued = pair(session)
    issued[PartialToken] = str(partial)
    for kind, encoded in issued.items():
        assert kind.read(encoded)["sub"] == "someone"
        for other in KINDS - {kind}:
            with pytest.raises(InvalidToken):
                other.read(encoded)


Change = Callable[[dict[str, Any], dict[str, Any]], None]
CHANGES: dict[str, Change] = {
    "issuer": lambda claims, _: claims.update(iss="https://evil.example"),
    "audience": lambda claims, _: claims.update(aud="https://evil.example"),
    "audience in a list": lambda claims, _: claims.update(aud=[settings.TOKEN_AUDIENCE]),
    "no audience": lambda claims, _: claims.pop("aud"),
    "no expiry": lambda claims, _: claims.pop("exp"),
    "no id": lambda claims, _: claims.pop("jti"),
    "expired": lambda claims, _: claims.update(exp=int(time.time()) - 1),
    "from the future": lambda claims, _: claims.update(iat=int(time.time()) + 3600),
    "later than dates go": lambda claims, _: claims.update(exp=10**30),
    "no time of the login": lambda claims, _: claims.pop("auth_time"),
    "no way of the login": lambda claims, _: claims.pop("amr"),
    "time as text": lambda claims, _: claims.update(iat="now"),
    "time of the login as text": lambda claims, _: claims.update(auth_time="now"),
    "way of the login as a number": lambda claims, _: claims.update(amr=5),
    "way of the login of numbers": lambda claims, _: claims.update(amr=[5]),
    "session in a list": lambda claims, _: claims.update(sid=[claims["sid"]]),
    "session with a null character": lambda claims, _: claims.update(sid="a\0"),
    "session that is no text": lambda claims, _: claims.update(sid="\ud800"),
    "account with a null character": lambda claims, _: claims.update(sub="a\0"),
    "kind in the claims": lambda claims, _: claims.update(token_type="refresh"),
    "kind in the header": lambda _, header: header.update(typ="JWT"),
    "no kind in the header": lambda _, header: header.update(typ=None),
    "foreign key id": lambda _, header: header.update(kid="another"),
    "key inside": lambda _, header: header.update(jwk={"kty": "EC"}),
    "key elsewhere": lambda _, header: header.update(jku="https://evil.example/"),
    "critical extension": lambda _, header: header.update(crit=["exp"]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_genuinely_signed_token_with_one_wrong_thing_is_refused(
    key: OpenKey, session: Session, change: Change
) -> None:
    encoded = pair(session)[AccessToken]
    claims = jwt.decode(encoded, options={"verify_signature": False})
    header: dict[str, Any] = {"kid": key.kid, "typ": "at+jwt"}
    assert AccessToken.read(jwt.encode(claims, key.private, algorithm="ES256", headers=header))
    change(claims, header)
    with pytest.raises(InvalidToken):
        AccessToken.read(jwt.encode(claims, key.private, algorithm="ES256", headers=header))


def test_other_key_or_algorithm_is_refused(key: OpenKey, session: Session) -> None:
    claims = jwt.decode(pair(session)[AccessToken], options={"verify_signature": False})
    header = {"kid": key.kid, "typ": "at+jwt"}
    secret = hashlib.sha256(json.dumps(key.public, sort_keys=True).encode()).digest()
    forged = [
        jwt.encode(claims, signing_key().private, algorithm="ES256", headers=header),
        jwt.encode(claims, secret, algorithm="HS256", headers=header),
        jwt.encode(claims, "", algorithm="none", headers=header),
    ]
    for encoded in forged:
        with pytest.raises(InvalidToken):
            AccessToken.read(encoded)


def test_second_spelling_of_a_token_is_refused(key: OpenKey, session: Session) -> None:
    encoded = pair(session)[AccessToken]
    head, body, signature = encoded.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    assert base64.urlsafe_b64decode(stray + "==") == base64.urlsafe_b64decode(signature + "==")
    doubled = json.dumps({"alg": "ES256", "kid": key.kid, "typ": "at+jwt"})[:-1] + ', "typ": "at+jwt"}'
    twice = base64.urlsafe_b64encode(doubled.encode()).decode().rstrip("=")
    for spelled in (
        f"{head}.{body}.{stray}", f"{encoded}=", f" {encoded}", f"{encoded}\n", f"{twice}.{body}.{signature}",
        f"{encoded}.", encoded.replace(".", "..", 1), "", ".", "..", "é", "a" * 5000,
    ):  # fmt: skip
        with pytest.raises(InvalidToken):
            AccessToken.read(spelled)


def test_claims_that_readers_may_take_differently_are_refused(key: OpenKey, session: Session) -> None:
    claims = json.dumps(jwt.decode(pair(session)[AccessToken], options={"verify_signature": False}))
    members = {"alg": key.algorithm, "kid": key.kid, "typ": "at+jwt"}
    header, in_pairs = (json.dumps(form).encode() for form in (members, list(members.items())))
    assert AccessToken.read(sign_text(header, claims.encode(), key))
    for head, body in (
        (header, f'{claims[:-1]}, "sub": "someone"}}'.encode()),
        (header, claims.encode("utf-16")),
        (header, claims.encode("utf-8-sig")),
        (header, json.dumps(list(json.loads(claims).items())).encode()),
        (in_pairs, claims.encode()),
    ):
        with pytest.raises(InvalidToken):
            AccessToken.read(sign_text(head, body, key))


def sign_text(header: bytes, claims: bytes, key: OpenKey) -> str:
    """A token of exactly these bytes, with a good signature."""
    signed = f"{jws.encode_segment(header)}.{jws.encode_segment(claims)}"
    return f"{signed}.{jws.encode_segment(jws.sign(signed.encode(), key.private))}"


def test_retired_key_still_verifies_and_no_longer_signs(session: Session) -> None:
    old, new = signing_key(), signing_key()
    with rings(old):
        encoded = pair(session)[AccessToken]
    with rings(new, old):
        assert AccessToken.read(encoded)["sub"] == "someone"
        assert jwt.get_unverified_header(pair(session)[AccessToken])["kid"] == new.kid
    with rings(new), pytest.raises(InvalidToken):
        AccessToken.read(encoded)


def test_access_token_never_outlives_its_session(key: OpenKey, session: Session) -> None:
    now = datetime.now(UTC)
    session.expires_at = now + timedelta(seconds=20)
    encoded, seconds = tokens.issue_access(session, User(id="someone"), now=now)
    claims = AccessToken.read(encoded).payload
    assert seconds == claims["exp"] - claims["iat"] == 20


def read_refresh(session: Session) -> dict[str, Any]:
    issued, _ = tokens.issue_refresh(session, digest_key=digest_ring.active_key(), now=datetime.now(UTC))
    return RefreshToken.read(issued).payload


def test_refresh_token_of_a_generation_is_the_same_whenever_it_is_made(
    key: OpenKey, session: Session
) -> None:
    first, again = (read_refresh(session) for _ in range(2))
    assert first == again
    session.generation += 1
    assert read_refresh(session)["jti"] != first["jti"]


def test_tokens_do_not_show_in_a_representation(key: OpenKey, session: Session) -> None:
    issued = tokens.issue_pair(
        session, User(id="someone"), digest_key=digest_ring.active_key(), now=present()
    )
    assert issued.access not in repr(issued)
    assert repr(AccessToken.read(issued.access)) == "<AccessToken>"
    assert key.secret.hex()[:16] not in repr(key)


def test_a_segment_is_the_one_base64url_form_of_its_bytes() -> None:
    """The pattern says what decoding and encoding again would say, for every short segment."""
    alphabet = "ABEIQUYcgkosw048-_/+=. \n"
    for length in (1, 2, 3, 4, 5):
        for letters in itertools.product(alphabet if length < 4 else "Aw-4+=", repeat=length):
            segment = "".join(letters)
            canonical = False
            with contextlib.suppress(ValueError):
                decoded = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
                canonical = base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() == segment
            found = tokens.COMPACT.fullmatch(f"{segment}.AA.AA")
            assert bool(found) == canonical, segment
