"""TOTP (RFC 6238) over pyotp: SHA-1, 6 digits, 30 s, ±1 step.

A code is accepted at most once per account secret: the conditional UPDATE on `last_step` is the decision, so that of
any number of requests with one code at most one wins (RFC 6238 section 5.2; ASVS 6.5.1).
"""

import base64
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno

from mfa.models import TotpAuthenticator

DIGITS = 6
STEP_SECONDS = 30
WINDOW_STEPS = 1
SECRET_BYTES = 20
CODE = re.compile(r"[0-9]{6}", re.ASCII)

Unseal = Callable[[TotpAuthenticator], bytes]


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs. `secret` is base32."""

    secret: str
    otpauth_uri: str
    qr_svg: str

    def __repr__(self) -> str:
        return "<Enrolment>"


def create_secret() -> bytes:
    """160 random bits (RFC 4226 section 4, R6)."""
    return secrets.token_bytes(SECRET_BYTES)


def describe_enrolment(secret: bytes, *, account: str, issuer: str) -> Enrolment:
    """The otpauth URI of a secret and its QR code as an SVG document without scripts."""
    encoded = base64.b32encode(secret).decode()
    uri = pyotp.TOTP(encoded, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(
        name=account, issuer_name=issuer
    )
    svg = segno.make(uri, error="m", micro=False).svg_inline(scale=4, border=4, dark="#000", light="#fff")
    return Enrolment(encoded, uri, svg)


def normalize_code(code: str) -> str:
    """Blanks inside a code are how apps show it."""
    return code.replace(" ", "")


def matching_step(secret: bytes, code: str, *, now: float | None = None) -> int | None:
    """The time step within the window whose code this is, the newest first; None when none matches.

    All steps of the window are compared in constant time, whichever matches.
    """
    code = normalize_code(code)
    if not CODE.fullmatch(code):
        return None
    hotp = pyotp.HOTP(base64.b32encode(secret).decode(), digits=DIGITS)
    present = int((time.time() if now is None else now) // STEP_SECONDS)
    found = None
    for step in range(present - WINDOW_STEPS, present + WINDOW_STEPS + 1):
        if step >= 0 and hmac.compare_digest(hotp.at(step).encode(), code.encode()):
            found = step
    return found


def accept_code(
    authenticators: list[TotpAuthenticator], code: str, *, unseal: Unseal, now: datetime
) -> TotpAuthenticator | None:
    """The authenticator whose unused code this is, its step marked as used; None for a wrong or replayed code."""
    for authenticator in authenticators:
        step = matching_step(unseal(authenticator), code, now=now.timestamp())
        if step is not None and mark_step(authenticator, step, now=now):
            return authenticator
    return None


def mark_step(authenticator: TotpAuthenticator, step: int, *, now: datetime) -> bool:
    """Use up a time step: one conditional UPDATE; False when this or a later step was used before."""
    unused = TotpAuthenticator.objects.filter(pk=authenticator.pk, last_step__lt=step)
    return bool(unused.update(last_step=step, last_used_at=now))
