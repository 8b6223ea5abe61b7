"""WebAuthn (Level 3) over py_webauthn: the options of both ceremonies, and the judgement of what comes back.

Accepted are ES256, EdDSA (Ed25519) and RS256, an exact origin of the list, this relying party's id, and a person who
was present. Refused are pages inside another site's frame, an authenticator whose signature counter does not grow,
and a credential whose backup eligibility changed (section 7.2). All that is wrong is one Refused.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.db.models import Q
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from mfa.ceremonies import CEREMONY_SECONDS
from mfa.models import Passkey
from mfa.plain_cbor import demand_plain_attestation, demand_plain_authenticator_data

HANDLE_BYTES = 64
MOST_CREDENTIAL_ID_BYTES = 1023  # section 7.1: longer ones are refused
LEAST_RSA_BITS, MOST_RSA_BITS = 2048, 4096
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)

Json = dict[str, Any]


class Refused(Exception):
    """The response does not belong to the ceremony; the message is for developers and holds nothing of it."""


@dataclass(frozen=True)
class RelyingParty:
    """This service, as authenticators and browsers know it."""

    id: str
    name: str
    origins: tuple[str, ...]
    user_verification: str
    attestation: str


@dataclass(frozen=True)
class NewCredential:
    """A credential that was just made."""

    credential_id: str
    public_key: bytes
    sign_count: int
    aaguid: str
    attestation: str
    transports: str
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True)
class Assertion:
    """A proof that somebody holds a credential now."""

    passkey: Passkey
    sign_count: int
    backed_up: bool


def create_handle() -> str:
    """What authenticators know an account by: random, so that it names nobody (section 14.6.1)."""
    return bytes_to_base64url(secrets.token_bytes(HANDLE_BYTES))


def creation_options(
    party: RelyingParty, *, challenge: str, user_handle: str, account: str, present: Iterable[Passkey]
) -> Json:
    """PublicKeyCredentialCreationOptionsJSON. Authenticators that the account has already are excluded."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_name=account,
        user_id=base64url_to_bytes(user_handle),
        challenge=base64url_to_bytes(challenge),
        timeout=CEREMONY_SECONDS * 1000,
        attestation=AttestationConveyancePreference(party.attestation),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            require_resident_key=False,
            user_verification=UserVerificationRequirement(party.user_verification),
        ),
        exclude_credentials=[_descriptor(one) for one in present],
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def request_options(party: RelyingParty, *, challenge: str, present: Iterable[Passkey]) -> Json:
    """PublicKeyCredentialRequestOptionsJSON for the account's own credentials."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=base64url_to_bytes(challenge),
        timeout=CEREMONY_SECONDS * 1000,
        allow_credentials=[_descriptor(one) for one in present],
        user_verification=UserVerificationRequirement(party.user_verification),
    )
    return options_to_json_dict(options)


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(name) for name in passkey.transports.split()]
    return PublicKeyCredentialDescriptor(
        id=base64url_to_bytes(passkey.credential_id), transports=transports or None
    )


def read_challenge(credential: Mapping[str, Any]) -> str:
    """The challenge that a response was made for, as its browser wrote it.

    Raises:
        Refused: no client data, or collected inside another site's frame (section 5.8.1).
    """
    try:
        data = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]).decode())
        challenge, cross_origin = data["challenge"], data.get("crossOrigin", False)
    except Exception as error:
        raise Refused("no client data") from error
    if not isinstance(challenge, str) or not CHALLENGE.fullmatch(challenge):
        raise Refused("no challenge")
    if cross_origin is not False or "topOrigin" in data:
        raise Refused("collected in a frame of another site")
    return challenge


def verify_registration(
    party: RelyingParty, credential: Mapping[str, Any], *, challenge: str
) -> NewCredential:
    """Judge a RegistrationResponseJSON (section 7.1). An attestation that came is verified, and proves no more than
    its own form: without a list of trusted roots anybody can make one.

    Raises:
        Refused.
    """
    try:
        demand_plain_attestation(base64url_to_bytes(credential["response"]["attestationObject"]))
        verified = verify_registration_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=party.user_verification == "required",
            supported_pub_key_algs=ALGORITHMS,
        )
        _demand_sound_key(verified.credential_public_key)
    except Exception as error:
        raise Refused("not a registration for these options") from error
    credential_id = bytes_to_base64url(verified.credential_id)
    if credential_id != credential["id"] or len(verified.credential_id) > MOST_CREDENTIAL_ID_BYTES:
        raise Refused("not the credential's id")
    told = credential["response"].get("transports", [])
    return NewCredential(
        credential_id=credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        aaguid=verified.aaguid,
        attestation=verified.fmt,
        transports=" ".join(sorted(TRANSPORTS.intersection(told))),
        backup_eligible=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        backed_up=verified.credential_backed_up,
    )


def _demand_sound_key(encoded: bytes) -> None:
    """Refuse a key that is not of its algorithm, that is weak, or so large that verifying is work."""
    decoded = decode_credential_public_key(encoded)
    match decoded.alg, decoded_public_key_to_cryptography(decoded):
        case (COSEAlgorithmIdentifier.ECDSA_SHA_256, EllipticCurvePublicKey(curve=SECP256R1())):
            return
        case (COSEAlgorithmIdentifier.EDDSA, Ed25519PublicKey()):
            return
        case (COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256, RSAPublicKey(key_size=bits)) if (
            LEAST_RSA_BITS <= bits <= MOST_RSA_BITS
        ):
            return
    raise Refused("not a sound key of an accepted algorithm")


def verify_assertion(
    party: RelyingParty, credential: Mapping[str, Any], passkey: Passkey, *, challenge: str
) -> Assertion:
    """Judge an AuthenticationResponseJSON of a credential (section 7.2), all but its counter: see advance().

    Raises:
        Refused.
    """
    if credential["response"].get("userHandle") not in (None, passkey.user_handle):
        raise Refused("another account's user handle")
    try:
        demand_plain_authenticator_data(base64url_to_bytes(credential["response"]["authenticatorData"]))
        verified = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,  # the library would judge the counter before the signature
            require_user_verification=party.user_verification == "required",
        )
    except Exception as error:
        raise Refused("not an assertion for these options") from error
    if (verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE) != passkey.backup_eligible:
        raise Refused("backup eligibility changed")
    return Assertion(passkey, verified.new_sign_count, verified.credential_backed_up)


def advance(assertion: Assertion, *, now: datetime) -> bool:
    """Note a use: one conditional UPDATE; False when the counter did not grow, which a copy of the key would show.

    An authenticator without a counter says 0 for ever (section 6.1.1).
    """
    count = assertion.sign_count
    grown = Q(sign_count__lt=count) if count else Q(sign_count=0)
    used = Passkey.objects.filter(grown, pk=assertion.passkey.pk)
    return bool(used.update(sign_count=count, backed_up=assertion.backed_up, last_used_at=now))
