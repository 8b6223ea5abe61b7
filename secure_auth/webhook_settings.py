"""WEBHOOK_URL and WEBHOOK_SECRET, read and typed: where detections are sent, and what signs them."""

import base64
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from secure_auth import env


@dataclass(frozen=True)
class Webhooks:
    """Where detections are sent, and the keys that sign them: every one, so that a secret is changed without a gap."""

    urls: tuple[str, ...] = ()
    secrets: tuple[bytes, ...] = field(default=(), repr=False)


def read_webhooks(urls_name: str, secrets_name: str, *, plain: bool) -> Webhooks:
    """A list of URLs, https unless `plain`, and one or two secrets as Standard Webhooks writes them.

    The host is the operator's choice, so private addresses are as good as others.
    """
    urls, given = env.words(urls_name), env.words(secrets_name)
    schemes = ("http", "https") if plain else ("https",)
    for url in urls:
        if not _is_endpoint(url, schemes):
            raise env.refuse(urls_name, f"must be {' or '.join(schemes)} URLs without user and fragment")
    if urls and not given:
        raise env.refuse(secrets_name, f"must be set when {urls_name} is")
    if len(given) > 2:
        raise env.refuse(secrets_name, "must be one secret, or the new and the old one")
    try:
        return Webhooks(urls, tuple(_webhook_secret(word) for word in given))
    except ValueError as error:
        raise env.refuse(secrets_name, "must be whsec_ and 24 to 64 random bytes in base64") from error


def _is_endpoint(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fits and "@" not in parts.netloc and not parts.fragment and url.isascii() and url.isprintable()


def _webhook_secret(word: str) -> bytes:
    prefix, _, encoded = word.partition("_")
    key = base64.b64decode(encoded, validate=True)
    if prefix != "whsec" or not 24 <= len(key) <= 64 or len(set(key)) < 8:
        raise ValueError("not a secret of Standard Webhooks")
    return key
