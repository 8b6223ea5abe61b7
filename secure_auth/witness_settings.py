"""Witnesses of the log, as the environment names them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from audit.verify.notes import COSIGNATURE, VerifierKey, parse_key
from secure_auth import env


@dataclass(frozen=True)
class Witness:
    """A witness of the log (C2SP tlog-witness): its verifier key, and the URL that it takes checkpoints below."""

    key: VerifierKey
    url: str


def witnesses(name: str) -> tuple[Witness, ...]:
    """Verifier keys of cosigners, each followed by the URL of its witness, divided by blanks or commas."""
    found, pairs = env.words(name), []
    if len(found) % 2:
        raise env.refuse(name, "must be pairs of a witness's verifier key and its URL")
    for key, url in zip(found[::2], found[1::2], strict=True):
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            pairs.append(Witness(parse_key(key), url.rstrip("/")))
        except ValueError as error:
            raise env.refuse(name, "must be pairs of a witness's verifier key and its URL") from error
        if not usable or parts.query or parts.fragment or pairs[-1].key.kind != COSIGNATURE:
            raise env.refuse(
                name, "must be pairs of a witness's verifier key (of a cosigner) and its http(s) URL"
            )
    if len({witness.key.name for witness in pairs}) < len(pairs):
        raise env.refuse(name, "must name each witness once")
    return tuple(pairs)
