"""The relying party of WebAuthn, as the environment names it."""

from urllib.parse import urlsplit

from secure_auth import env

USER_VERIFICATION = ("required", "preferred", "discouraged")
ATTESTATION = ("none", "direct")


def rp_id(name: str, *, origin: str, related: tuple[str, ...]) -> str:
    """The relying party id: the host of ORIGIN or a domain above it, unless ORIGIN is one of the related origins."""
    host = urlsplit(origin).hostname or ""
    is_address = ":" in host or host.replace(".", "").isdigit()
    value = env.text(name, "localhost" if is_address else host).lower()
    is_own = host == value or ("." in value and host.endswith(f".{value}"))
    if not is_own and env.serialized_origin(origin) not in related and not env.is_loopback(origin):
        raise env.refuse(name, "must be the host of ORIGIN or a domain above it")
    return value


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of a few words."""
    value = env.text(name, default)
    if value not in allowed:
        raise env.refuse(name, f"must be {', '.join(allowed[:-1])} or {allowed[-1]}")
    return value
