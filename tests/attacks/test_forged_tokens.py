"""A forger writes tokens.

Attacker: has a genuine token and the public keys. Move: no signature, HS256 with a public key as the secret, an own key
under a known, unknown or embedded id, altered claims, doubled or odd segments (RFC 8725 sections 2 and 3). Refusal:
`invalid_token` at every door that takes a token.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from tests.attacks.evidence import claims
from tests.client import Client, code_of, expect


def encode(part: Any) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def header_of(token: str) -> dict[str, Any]:
    return dict(jwt.get_unverified_header(token))


def hs256(header: dict[str, Any], body: dict[str, Any], secret: bytes) -> str:
    signed = f"{encode(header)}.{encode(body)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def public_forms(client: Client) -> Iterator[bytes]:
    """A public key in the forms that a confused library might take for an HMAC secret."""
    for jwk in expect(client.get("/.well-known/jwks.json"), 200)["keys"]:
        key = ECAlgorithm.from_jwk(jwk)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        yield key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        yield key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        yield json.dumps(jwk).encode()
    yield b""


def forgeries(client: Client, token: str) -> Iterator[tuple[str, str]]:
    """Name and form of each forgery of a genuine token."""
    header, body = header_of(token), claims(token)
    head, middle, signature = token.split(".")
    for name in ("none", "None", "NONE", ""):
        yield f"alg {name!r}", f"{encode({**header, 'alg': name})}.{middle}."
        yield f"alg {name!r}, signed", f"{encode({**header, 'alg': name})}.{middle}.{signature}"
    for secret in public_forms(client):
        yield "HS256", hs256({**header, "alg": "HS256"}, body, secret)
    own = ec.generate_private_key(ec.SECP256R1())
    jwk = ECAlgorithm.to_jwk(own.public_key(), as_dict=True)
    extras: list[dict[str, Any]] = [
        {}, {"kid": "unknown"}, {"kid": "../../dev/null"}, {"jwk": jwk}, {"jku": "https://example.org/jwks"},
        {"x5u": "https://example.org/x"}, {"crit": ["exp"]}, {"kid": "' OR 1=1 --"},
    ]  # fmt: skip
    for extra in extras:
        yield f"own key, {extra}", jwt.encode(body, own, "ES256", {**header, **extra})
    yield "no kid", jwt.encode(body, own, "ES256", {"typ": header["typ"]})
    yield "another subject", f"{head}.{encode({**body, 'sub': 'somebody-else'})}.{signature}"
    yield "later expiry", f"{head}.{encode({**body, 'exp': body['exp'] + 3600})}.{signature}"
    yield "another kind", f"{encode({**header, 'typ': 'at+jwt', 'x': 1})}.{middle}.{signature}"
    flipped = "A" if signature[9] != "A" else "B"
    yield "altered signature", f"{head}.{middle}.{signature[:9]}{flipped}{signature[10:]}"
    yield "zero signature", f"{head}.{middle}.{encode(bytes(64))}"
    yield "no signature", f"{head}.{middle}."
    yield "two segments", f"{head}.{middle}"
    yield "four segments", f"{token}.{signature}"
    yield "padding", f"{token}=="
    yield "trailing bits", token[:-1] + chr(ord(token[-1]) + 1)


def test_no_forged_access_token_opens_a_door(client: Client) -> None:
    person = client.sign_up()
    for name, forged in forgeries(client, person.access):
        assert code_of(client.me(forged)) == "invalid_token", name
        assert code_of(client.post("token/verify/", {"token": forged})) == "invalid_token", name
    expect(client.me(person.access), 200)


def test_no_forged_refresh_token_refreshes(client: Client) -> None:
    person = client.sign_up()
    for name, forged in forgeries(client, person.refresh):
        assert code_of(client.refresh(forged)) == "invalid_token", name
    expect(client.refresh(person.refresh), 200)


def test_no_forged_partial_token_opens_the_second_step(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    code = person.recovery_codes[0]
    for name, forged in forgeries(client, partial):
        assert code_of(client.verify(forged, code, "recovery_code")) == "invalid_token", name
    expect(client.verify(partial, code, "recovery_code"), 200)


def test_token_carries_no_personal_data(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    for token in (person.access, person.refresh, partial):
        assert header_of(token)["alg"] == "ES256"
        assert person.email.partition("@")[0] not in json.dumps([header_of(token), claims(token)])
