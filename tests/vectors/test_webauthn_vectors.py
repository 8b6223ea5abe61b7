"""The test vectors of WebAuthn Level 3, through the code that the service runs."""

import json
from pathlib import Path
from typing import Any

import pytest

import tests.ready  # noqa: F401
from mfa import webauthn
from mfa.models import Passkey
from mfa.webauthn import Refused, RelyingParty
from tests.passkeys import b64

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "webauthn.json").read_text())["vectors"]
PARTY = RelyingParty("example.org", "Vectors", ("https://example.org",), "preferred", "none")
# Collected in a frame of another site; algorithms that the service does not offer; roots that are made for the vectors;
# a U2F key with an AAGUID, which no real one has.
REFUSED = {
    "none-es256-crossOrigin",
    "none-es256-topOrigin",
    "packed-es384",
    "packed-es512",
    "tpm-es256",
    "android-key-es256",
    "apple-es256",
    "fido-u2f-es256",
}


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["section"]).removeprefix("sctn-test-vectors-")


def of_hex(text: str) -> str:
    return b64(bytes.fromhex(text))


def registration(vector: dict[str, Any]) -> dict[str, Any]:
    given = vector["registration"]
    response = {name: of_hex(given[name]) for name in ("clientDataJSON", "attestationObject")}
    return credential(vector, response)


def authentication(vector: dict[str, Any]) -> dict[str, Any]:
    given = vector["authentication"]
    names = ("clientDataJSON", "authenticatorData", "signature")
    return credential(vector, {name: of_hex(given[name]) for name in names})


def credential(vector: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    credential_id = of_hex(vector["registration"]["credential_id"])
    return {"id": credential_id, "rawId": credential_id, "type": "public-key", "response": response}


def bind(vector: dict[str, Any], party: RelyingParty = PARTY) -> Passkey:
    shown = registration(vector)
    challenge = webauthn.read_challenge(shown)
    assert challenge == of_hex(vector["registration"]["challenge"])
    made = webauthn.verify_registration(party, shown, challenge=challenge)
    return Passkey(user_handle="", **vars(made))


def show(vector: dict[str, Any], passkey: Passkey, party: RelyingParty = PARTY) -> webauthn.Assertion:
    shown = authentication(vector)
    challenge = webauthn.read_challenge(shown)
    assert challenge == of_hex(vector["authentication"]["challenge"])
    return webauthn.verify_assertion(party, shown, passkey, challenge=challenge)


def test_all_that_are_refused_are_vectors() -> None:
    assert {name_of(vector) for vector in VECTORS} > REFUSED


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_vector_of_webauthn_level_3(vector: dict[str, Any]) -> None:
    if name_of(vector) in REFUSED:
        with pytest.raises(Refused):
            bind(vector)
        return
    passkey = bind(vector)
    assert passkey.attestation == vector["attestation_fmt"]
    assert show(vector, passkey).sign_count == 0


@pytest.mark.parametrize("vector", VECTORS[:1], ids=name_of)
def test_vector_under_another_party_origin_policy_or_challenge_is_refused(vector: dict[str, Any]) -> None:
    passkey = bind(vector)
    others = [
        RelyingParty("example.com", "Vectors", PARTY.origins, "preferred", "none"),
        RelyingParty("example.org", "Vectors", ("https://example.org.evil",), "preferred", "none"),
        RelyingParty("example.org", "Vectors", (), "preferred", "none"),
        RelyingParty("example.org", "Vectors", PARTY.origins, "required", "none"),  # flags without UV
    ]
    for party in others:
        with pytest.raises(Refused):
            bind(vector, party)
        with pytest.raises(Refused):
            show(vector, passkey, party)
    for challenge in (b64(bytes(32)), b64(b"x")):
        with pytest.raises(Refused):
            webauthn.verify_registration(PARTY, registration(vector), challenge=challenge)
        with pytest.raises(Refused):
            webauthn.verify_assertion(PARTY, authentication(vector), passkey, challenge=challenge)


def test_every_altered_byte_of_an_assertion_is_refused() -> None:
    vector = VECTORS[0]
    passkey = bind(vector)
    challenge = of_hex(vector["authentication"]["challenge"])
    for name in ("authenticatorData", "signature", "clientDataJSON"):
        raw = bytes.fromhex(vector["authentication"][name])
        for place in range(len(raw)):
            shown = authentication(vector)
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            shown["response"][name] = b64(changed)
            with pytest.raises(Refused):
                webauthn.verify_assertion(PARTY, shown, passkey, challenge=challenge)
