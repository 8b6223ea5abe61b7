"""Signatures of tokens: the published ones are good, changed ones are not, and PyJWT agrees both ways."""

import base64
from typing import Any

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

import tests.ready  # noqa: F401
from secure_auth import jws

# RFC 7515 appendix A.3
ES256_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ES256 = (
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
# RFC 8037 appendix A
EDDSA_SECRET = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
EDDSA = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def es256_key() -> Any:
    return jwt.PyJWK(ES256_KEY, "ES256").key


def eddsa_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(EDDSA_SECRET + "="))


def test_the_published_signatures_are_good() -> None:
    assert jws.verify_token(ES256, es256_key()).startswith(b'{"iss":"joe"')
    assert jws.verify_token(EDDSA, eddsa_key().public_key()) == b"Example of Ed25519 signing"


def test_ed25519_gives_the_published_signature() -> None:
    signed, _, signature = EDDSA.rpartition(".")
    assert jws.encode_segment(jws.sign(signed.encode(), eddsa_key())) == signature


@pytest.mark.parametrize("at", range(0, 86, 17))
@pytest.mark.parametrize("token", [ES256, EDDSA])
def test_a_changed_signature_is_none(token: str, at: int) -> None:
    signed, _, signature = token.rpartition(".")
    changed = signature[:at] + ("B" if signature[at] == "A" else "A") + signature[at + 1 :]
    key = es256_key() if token is ES256 else eddsa_key().public_key()
    with pytest.raises(InvalidSignature):
        jws.verify_token(f"{signed}.{changed}", key)
    with pytest.raises(InvalidSignature):
        jws.verify_token(f"{signed}.{signature[:-4]}", key)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_pyjwt_agrees(algorithm: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else eddsa_key()
    header = {"alg": algorithm, "kid": "k", "typ": "at+jwt"}
    ours = jws.sign_token({"sub": "ü", "n": 1}, key, header)
    assert jwt.decode(ours, key.public_key(), algorithms=[algorithm]) == {"sub": "ü", "n": 1}
    assert jwt.get_unverified_header(ours) == header
    theirs = jwt.encode({"sub": "x"}, key, algorithm, headers={"kid": "k"})
    assert jws.verify_token(theirs, key.public_key()) == b'{"sub":"x"}'


@pytest.mark.parametrize("is_signed_here", [True, False])
def test_a_remembered_signature_opens_nothing_but_its_own_token(is_signed_here: bool) -> None:
    jws.forget()
    key = eddsa_key()
    token = jws.sign_token({"sub": "x"}, key, {"alg": "EdDSA", "kid": "k", "typ": "at+jwt"})
    if not is_signed_here:
        jws.forget()
    for _ in range(2):
        assert jws.verify_token_again(token, key.public_key()) == b'{"sub":"x"}'
    head, _, signature = token.split(".")
    forged = f"{head}.{jws.encode_segment(b'{}')}.{signature}"
    for _ in range(2):
        with pytest.raises(InvalidSignature):
            jws.verify_token_again(forged, key.public_key())
    jws.forget()


def test_what_is_remembered_is_bounded_and_the_latest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    jws.forget()
    monkeypatch.setattr(jws, "MOST_REMEMBERED", 3)
    key, header = eddsa_key(), {"alg": "EdDSA", "kid": "k", "typ": "at+jwt"}
    made = [jws.sign_token({"n": number}, key, header) for number in range(20)]
    assert len(jws._good) + len(jws._good_before) <= 6
    monkeypatch.setattr(jws, "verify_token", lambda *_: pytest.fail("it was remembered"))
    for token in made[-3:]:
        assert jws.verify_token_again(token, key.public_key())
    jws.forget()
