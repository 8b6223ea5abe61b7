"""The relying party of WebAuthn, as the environment names it."""

import re
from urllib.parse import urlsplit

from secure_auth import env

USER_VERIFICATION = ("required", "preferred", "discouraged")
ATTESTATION = ("none", "direct")
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"({LABEL}\.)*(?![0-9]+\Z){LABEL}", re.ASCII)  # of an address the last label is a number


def rp_id(name: str, *, origin: str, related: tuple[str, ...]) -> str:
    """The relying party id: the host of ORIGIN or a domain above it, unless ORIGIN is one of the related origins.

    Where the host is an address there is no right one, and browsers offer no passkeys.
    """
    host = urlsplit(origin).hostname or ""
    is_loopback = env.is_loopback(origin)
    is_address = ":" in host or host.replace(".", "").isdigit()
    value = env.text(name, "localhost" if is_address and is_loopback else host).lower()
    if host == value or ("." in value and host.endswith(f".{value}")):
        return value
    if not DOMAIN.fullmatch(value):
        raise env.refuse(name, "must be a domain, without scheme and port")
    if env.serialized_origin(origin) not in related and not is_loopback:
        raise env.refuse(
            name,
            "must be the host of ORIGIN or a domain above it, unless WEBAUTHN_RELATED_ORIGINS names ORIGIN",
        )
    return value


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of a few words."""
    value = env.text(name, default)
    if value not in allowed:
        raise env.refuse(name, f"must be {', '.join(allowed[:-1])} or {allowed[-1]}")
    return value
