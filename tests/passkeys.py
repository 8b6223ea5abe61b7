"""A passkey in software: makes WebAuthn credentials and assertions, honest ones and, on demand, others."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
import httpx
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.client import Client, Person, expect

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
ES256, EDDSA, RS256 = -7, -8, -257

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Json = dict[str, Any]


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def make_key(algorithm: int) -> Key:
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def cose_key(key: Key) -> Json:
    """The public key as COSE writes it (RFC 9053)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()}  # type: ignore[dict-item]
    public = key.public_key().public_numbers()
    if isinstance(public, rsa.RSAPublicNumbers):
        modulus = public.n.to_bytes((public.n.bit_length() + 7) // 8, "big")
        return {1: 3, 3: RS256, -1: modulus, -2: public.e.to_bytes(3, "big")}  # type: ignore[dict-item]
    x, y = (number.to_bytes(32, "big") for number in (public.x, public.y))
    return {1: 2, 3: ES256, -1: 1, -2: x, -3: y}  # type: ignore[dict-item]


def random_id(size: int = 32) -> bytes:
    return secrets.token_bytes(size)


@dataclass
class Passkey:
    """One authenticator with one credential. What it is told to say differently, it says."""

    origin: str
    rp_id: str = "localhost"
    algorithm: int = ES256
    counter: int = 0  # 0: it keeps none
    flags: int = UP | UV
    credential_id: bytes = field(default_factory=random_id)
    user_handle: str = ""
    key: Key = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.key = self.key or make_key(self.algorithm)

    def client_data(self, kind: str, challenge: str, **more: Any) -> bytes:
        told = {
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": False,
        }
        return json.dumps(told | more).encode()

    def authenticator_data(self, *, attested: bytes = b"", counter: int | None = None) -> bytes:
        flags = self.flags | (AT if attested else 0)
        count = self.counter if counter is None else counter
        rp_id_hash = hashlib.sha256(self.rp_id.encode()).digest()
        return rp_id_hash + bytes([flags]) + count.to_bytes(4, "big") + attested

    def attested(self, *, cose: Any = None) -> bytes:
        public = cbor2.dumps(cose_key(self.key) if cose is None else cose)
        return bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + public

    def make(self, options: Json, *, cose: Any = None, **client_data: Any) -> Json:
        """RegistrationResponseJSON for creation options."""
        self.user_handle = options["user"]["id"]
        told = self.client_data("webauthn.create", **{"challenge": options["challenge"], **client_data})
        data = self.authenticator_data(attested=self.attested(cose=cose))
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self.response(
            clientDataJSON=b64(told),
            attestationObject=b64(attestation),
            authenticatorData=b64(data),
            publicKeyAlgorithm=self.algorithm,
            transports=["internal", "hybrid"],
        )

    def show(self, options: Json, *, counter: int | None = None, **client_data: Any) -> Json:
        """AuthenticationResponseJSON for request options."""
        if counter is None and self.counter:
            self.counter += 1
        told = self.client_data("webauthn.get", **{"challenge": options["challenge"], **client_data})
        data = self.authenticator_data(counter=counter)
        signature = self.sign(data + hashlib.sha256(told).digest())
        return self.response(
            clientDataJSON=b64(told),
            authenticatorData=b64(data),
            signature=b64(signature),
            userHandle=self.user_handle,
        )

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), SHA256())
        return self.key.sign(data, ec.ECDSA(SHA256()))

    def response(self, **members: Any) -> Json:
        return {
            "id": b64(self.credential_id),
            "rawId": b64(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": members,
        }


# One request each


def creation_options(client: Client, person: Person) -> Json:
    answer = expect(client.post("mfa/webauthn/options/", token=person.access), 200)
    return dict(answer["publicKey"])


def bind(client: Client, person: Person, credential: Json, name: str = "") -> httpx.Response:
    return client.post("mfa/webauthn/", {"credential": credential, "name": name}, person.access)


def login_options(client: Client, partial: str) -> Json:
    return dict(expect(client.post("login/webauthn/options/", token=partial), 200)["publicKey"])


def verify(client: Client, partial: str, credential: Json, **extra: Any) -> httpx.Response:
    body = {"method": "webauthn", "credential": credential, **extra}
    return client.post("login/verify/", body, partial)


def reauthentication_options(client: Client, person: Person) -> Json:
    answer = expect(client.post("reauthenticate/webauthn/options/", token=person.access), 200)
    return dict(answer["publicKey"])


def reauthenticate(client: Client, person: Person, credential: Json) -> httpx.Response:
    body = {"method": "webauthn", "credential": credential}
    return client.post("reauthenticate/", body, person.access)


# Whole ways


def add_passkey(client: Client, person: Person, name: str = "", **what: Any) -> Passkey:
    """Bind a passkey of a person whose session is fresh."""
    passkey = Passkey(client.server.origin, **what)
    expect(bind(client, person, passkey.make(creation_options(client, person)), name), 201)
    return passkey


def sign_in(client: Client, person: Person, passkey: Passkey, **extra: Any) -> Person:
    """Both steps, the second with a passkey."""
    partial = expect(client.login(person), 200)["partial_token"]
    credential = passkey.show(login_options(client, partial))
    person.keep(expect(verify(client, partial, credential, **extra), 200))
    return person


def step_up(client: Client, person: Person, passkey: Passkey) -> Person:
    """Reauthenticate with a passkey."""
    credential = passkey.show(reauthentication_options(client, person))
    person.access = expect(reauthenticate(client, person, credential), 200)["access"]
    return person
