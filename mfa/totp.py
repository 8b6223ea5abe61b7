"""TOTP (RFC 6238) over pyotp: SHA-1 and 6 digits unless an authenticator says otherwise, 30 s, ±1 step.

A code is accepted at most once per account secret: the conditional UPDATE on `last_step` is the decision, so that of
any number of requests with one code at most one wins (RFC 6238 section 5.2; ASVS 6.5.1).
"""

import base64
import hashlib
import hmac
import io
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from urllib.parse import parse_qs, urlsplit

import pyotp
import segno

from mfa.models import TotpAuthenticator

STEP_SECONDS = 30
WINDOW_STEPS = 1
CLOCK_SEARCH_SECONDS = 600
ALGORITHMS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
DIGITS = (6, 8)
CODE = re.compile(r"[0-9]{6,8}", re.ASCII)


@dataclass(frozen=True)
class Scheme:
    """How an authenticator makes its codes. It is stored with each, so that a change of the setting breaks none."""

    algorithm: str = "SHA1"
    digits: int = 6

    def codes(self, secret: bytes) -> pyotp.HOTP:
        """The codes of a secret by time step."""
        encoded = base64.b32encode(secret).decode()
        return pyotp.HOTP(encoded, digits=self.digits, digest=ALGORITHMS[self.algorithm])


APPS = Scheme()  # what every authenticator app can do
Unseal = Callable[[TotpAuthenticator], bytes | None]


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs. `secret` is base32."""

    secret: str
    otpauth_uri: str
    qr_svg: str

    def __repr__(self) -> str:
        return "<Enrolment>"


def scheme_of(authenticator: TotpAuthenticator) -> Scheme:
    """The scheme that an authenticator was bound with."""
    return Scheme(authenticator.algorithm, authenticator.digits)


def create_secret(scheme: Scheme = APPS) -> bytes:
    """As many random bits as the hash has (RFC 6238 section 5.1), 160 at least (RFC 4226 section 4, R6)."""
    return secrets.token_bytes(ALGORITHMS[scheme.algorithm]().digest_size)


def describe_enrolment(secret: bytes, scheme: Scheme = APPS, *, account: str, issuer: str) -> Enrolment:
    """The otpauth URI of a secret and its QR code as an SVG document without scripts.

    The URI names algorithm and digits only where they are not what every app assumes (Key Uri Format).
    """
    encoded = base64.b32encode(secret).decode().rstrip("=")
    uri = pyotp.TOTP(
        encoded, digits=scheme.digits, digest=ALGORITHMS[scheme.algorithm], interval=STEP_SECONDS
    ).provisioning_uri(name=account, issuer_name=issuer)
    return Enrolment(encoded, uri, draw_qr(uri))


def read_scheme(uri: str) -> Scheme:
    """The scheme that an otpauth URI of ours names."""
    named = parse_qs(urlsplit(uri).query)
    return Scheme(named.get("algorithm", [APPS.algorithm])[0], int(named.get("digits", [APPS.digits])[0]))


def draw_qr(uri: str, *, scalable: bool = False) -> str:
    """The QR code of a URI as an SVG: 4 px a module, or as large as the page wants it."""
    code = segno.make(uri, error="m", micro=False)
    drawn = io.BytesIO()
    code.save(
        drawn,
        kind="svg",
        scale=4,
        border=4,
        dark="#000",
        light="#fff",
        omitsize=scalable,
        xmldecl=False,
        nl=False,
    )
    return drawn.getvalue().decode()


def normalize_code(code: str) -> str:
    """Blanks inside a code are how apps show it."""
    return code.replace(" ", "")


def matching_step(secret: bytes, code: str, scheme: Scheme = APPS, *, now: float | None = None) -> int | None:
    """The time step within the window whose code this is, the newest first; None when none matches.

    All steps of the window are compared in constant time, whichever matches.
    """
    present = int((time.time() if now is None else now) // STEP_SECONDS)
    return _newest_match(secret, code, scheme, range(present - WINDOW_STEPS, present + WINDOW_STEPS + 1))


def clock_offset_seconds(secret: bytes, code: str, scheme: Scheme, *, now: float) -> int | None:
    """How far the clock is ahead (behind: negative) that showed this code; None when it is of no near time.

    Only for who holds the secret: to anybody else it would tell codes that are right later.
    """
    present, reach = int(now // STEP_SECONDS), CLOCK_SEARCH_SECONDS // STEP_SECONDS
    step = _newest_match(secret, code, scheme, range(present - reach, present + reach + 1))
    if step is None or abs(step - present) <= WINDOW_STEPS:
        return None
    return (step - present) * STEP_SECONDS


def _newest_match(secret: bytes, code: str, scheme: Scheme, steps: range) -> int | None:
    code = normalize_code(code)
    if not CODE.fullmatch(code) or len(code) != scheme.digits:
        return None
    codes, found = scheme.codes(secret), None
    for step in steps:
        if step >= 0 and hmac.compare_digest(codes.at(step).encode(), code.encode()):
            found = step
    return found


class Judgement(Enum):
    """What a code is. A replayed one was used, or its step is over: somebody else may have read it, and been faster."""

    ACCEPTED = "accepted"
    REPLAYED = "replayed"
    WRONG = "wrong"


def accept_code(
    authenticators: list[TotpAuthenticator], code: str, *, unseal: Unseal, now: datetime
) -> Judgement:
    """Judge a code by all authenticators of an account; the step of the one that accepts it is marked as used.

    One whose secret does not open matches nothing.
    """
    judgement = Judgement.WRONG
    for authenticator in authenticators:
        secret = unseal(authenticator)
        if secret is None:
            continue
        step = matching_step(secret, code, scheme_of(authenticator), now=now.timestamp())
        if step is None:
            continue
        if mark_step(authenticator, step, now=now):
            return Judgement.ACCEPTED
        judgement = Judgement.REPLAYED
    return judgement


def mark_step(authenticator: TotpAuthenticator, step: int, *, now: datetime) -> bool:
    """Use up a time step: one conditional UPDATE; False when this or a later step was used before."""
    unused = TotpAuthenticator.objects.filter(pk=authenticator.pk, last_step__lt=step)
    return bool(unused.update(last_step=step, last_used_at=now))
