"""What a passkey answered, as a script puts it into a form: the JSON forms of WebAuthn Level 3 (section 5.1.1).

Members that nothing here reads are left aside, as the API does. What is wrong with one is the fault of the form.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms

from secure_auth.web import words

BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
IDS: Final = ("id", "rawId")
ASSERTION: Final = ("clientDataJSON", "authenticatorData", "signature")
ATTESTATION: Final = ("clientDataJSON", "attestationObject")
MOST_CHARACTERS: Final = 60_000
MOST_TRANSPORTS: Final = 16


class CredentialField(forms.CharField):
    """A credential whose response has these members, as a mapping of what is read of it."""

    default_error_messages: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("required", "max_length", "invalid"), words.FAULTS["passkey"]
    )

    def __init__(self, members: tuple[str, ...]) -> None:
        super().__init__(max_length=MOST_CHARACTERS, widget=forms.HiddenInput)
        self.members = members

    def clean(self, value: Any) -> dict[str, Any]:
        """Read it.

        Raises:
            ValidationError: no such credential.
        """
        text = super().clean(value)
        try:
            return _read(json.loads(text), self.members)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


def _read(told: Mapping[str, Any], members: tuple[str, ...]) -> dict[str, Any]:
    response = told["response"]
    if told["type"] != "public-key":
        raise ValueError("another type")
    kept: dict[str, Any] = {name: _base64url(response[name]) for name in members}
    if response.get("userHandle") is not None:
        kept["userHandle"] = _base64url(response["userHandle"])
    if "transports" in response:
        kept["transports"] = [str(name)[:32] for name in list(response["transports"])[:MOST_TRANSPORTS]]
    return {"type": "public-key", "response": kept, **{name: _base64url(told[name]) for name in IDS}}


def _base64url(value: str) -> str:
    """The text of bytes in base64url without padding (RFC 4648 section 5)."""
    if not BASE64URL.fullmatch(value) or len(value) % 4 == 1:
        raise ValueError("no base64url")
    return value
