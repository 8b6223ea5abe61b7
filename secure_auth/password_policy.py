"""What a new password must be: long enough, not common, not made of what an attacker knows, not known from breaches.

No composition rules and no expiry (NIST SP 800-63B-4 section 3.1.1.2, ASVS 6.2.5, 6.2.10). The verdict depends on the
input alone, so it tells nothing about accounts.
"""

from functools import lru_cache

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

from secure_auth import breaches
from secure_auth.errors import FieldError
from secure_auth.passwords import normalize

TRIMMINGS = "0123456789!?.,-_*#@$ "  # what people put around a word to make it a password
CONTEXT_WORDS = ("secureauth", "secure-auth", "secure auth", "password", "passwort")
BREACHED = FieldError(
    "breached", "This password is known from a breach: attackers try it. Choose another one."
)


def find_faults(password: str, *, email: str = "") -> list[FieldError]:
    """What is wrong with a new password. May ask a range API: never in a transaction."""
    return _find_own_faults(password, email=email) or _known(breaches.is_breached(normalize(password)))


def find_faults_here(password: str, *, email: str = "") -> list[FieldError]:
    """The same without a request to anybody else."""
    return _find_own_faults(password, email=email) or _known(breaches.is_breached_here(normalize(password)))


def _known(is_breached: bool) -> list[FieldError]:
    return [BREACHED] if is_breached else []


def _find_own_faults(password: str, *, email: str = "") -> list[FieldError]:
    if "\0" in password:  # the API and the pages take none: nobody could ever type it
        return [FieldError("null_characters_not_allowed", "Null characters are not allowed.")]
    normal = normalize(password)
    if len(normal) < settings.PASSWORD_MIN_LENGTH:
        return [FieldError("too_short", f"At least {settings.PASSWORD_MIN_LENGTH} characters are needed.")]
    if len(normal) > settings.PASSWORD_MAX_LENGTH:
        return [FieldError("too_long", f"At most {settings.PASSWORD_MAX_LENGTH} characters are taken.")]
    if is_blocked(normal, email=email):
        return [FieldError("too_common", "This password is among those that attackers try first.")]
    return []


def is_blocked(password: str, *, email: str = "") -> bool:
    """Whether a password is common, one or two characters repeated, or made of the address or a context word."""
    folded = password.casefold()
    if len(set(folded)) <= 2:
        return True
    local, _, domain = email.casefold().partition("@")
    words = {*context_words(), local, domain, email.casefold()}
    context = words | {word.strip(TRIMMINGS) for word in words}
    return folded in context or folded.strip(TRIMMINGS) in context or _is_common(folded)


def context_words() -> tuple[str, ...]:
    """Words that stand for this service: ours, the product's name and PASSWORD_CONTEXT_WORDS."""
    return (*CONTEXT_WORDS, settings.PRODUCT_NAME.casefold(), *settings.PASSWORD_CONTEXT_WORDS)


@lru_cache(maxsize=1)
def _blocklist() -> CommonPasswordValidator:
    return CommonPasswordValidator()


def _is_common(candidate: str) -> bool:
    try:
        _blocklist().validate(candidate)
    except ValidationError:
        return True
    return False
