"""The JSON forms of WebAuthn Level 3 in which browsers hand over what a passkey answered (section 5.1.1).

Their members are the standard's and may grow: unknown ones are left aside, those that are read are strict.
"""

import re
from typing import Any

from rest_framework import serializers

from secure_auth.api.common import Text

BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


class Base64url(Text):
    """Bytes in base64url without padding (RFC 4648 section 5), the only spelling of each."""

    default_error_messages = {"invalid": "This is no base64url."}

    def to_internal_value(self, data: Any) -> str:
        """Refuse other alphabets, padding and lengths that no bytes have."""
        value = super().to_internal_value(data)
        if not BASE64URL.fullmatch(value) or len(value) % 4 == 1:
            self.fail("invalid")
        return value


class AssertionResponse(serializers.Serializer):
    """AuthenticatorAssertionResponseJSON."""

    clientDataJSON = Base64url(max_length=8192)  # noqa: N815 names of WebAuthn
    authenticatorData = Base64url(max_length=8192)  # noqa: N815
    signature = Base64url(max_length=2048)
    userHandle = Base64url(max_length=86, required=False, allow_null=True)  # noqa: N815


class AttestationResponse(serializers.Serializer):
    """AuthenticatorAttestationResponseJSON."""

    clientDataJSON = Base64url(max_length=8192)  # noqa: N815 names of WebAuthn
    attestationObject = Base64url(max_length=49152)  # noqa: N815
    transports = serializers.ListField(child=Text(max_length=32), max_length=16, required=False)


class PublicKeyCredential(serializers.Serializer):
    """What both ceremonies answer."""

    id = Base64url(max_length=1364)
    rawId = Base64url(max_length=1364)  # noqa: N815 a name of WebAuthn
    type = serializers.ChoiceField(choices=["public-key"])


class AuthenticationResponse(PublicKeyCredential):
    """AuthenticationResponseJSON."""

    response = AssertionResponse()


class RegistrationResponse(PublicKeyCredential):
    """RegistrationResponseJSON."""

    response = AttestationResponse()
