"""The digest ring at work: several of its keys count at once.

What is made now is made with the active key (`keys.digest`). What is shown may have been made with any key that is not
gone: by a row's key id where there is one, else each is tried. The next key is among them, for another node may have
read first that it is the active one.
"""

import hmac
from collections.abc import Iterable

from secure_auth import keys
from secure_auth.keys import OpenKey
from secure_auth.models import Key


def active_key() -> OpenKey:
    """The key to make something with."""
    return keys.ring(Key.Purpose.DIGEST).active


def live_keys() -> list[OpenKey]:
    """All keys that are not gone: the active one, then the others, youngest first."""
    ring = keys.ring(Key.Purpose.DIGEST)
    return [ring.active, *(key for key in reversed(ring.keys.values()) if key is not ring.active)]


def digests(label: str, *parts: str) -> list[str]:
    """keys.digest() under every key that is not gone, the active one's first."""
    return [keys.digest_with(key, label, *parts) for key in live_keys()]


def is_one_of(shown: bytes, expected: Iterable[str]) -> bool:
    """Whether what was shown is one of these, in a time that does not tell how much of it is right."""
    matches = [hmac.compare_digest(shown, one.encode()) for one in expected]
    return any(matches)


def lasting_digest(label: str, *parts: str) -> str:
    """keys.digest() under the oldest key until it is gone: the same on every node, through any rotation.

    For what must not begin anew with each rotation: counts and locks, which an attacker would get afresh.
    """
    oldest = next(iter(keys.ring(Key.Purpose.DIGEST).keys.values()))
    return keys.digest_with(oldest, label, *parts)


def successor_of(kid: str) -> str:
    """The key to move something on to: the active one for a retired one, else the same."""
    ring = keys.ring(Key.Purpose.DIGEST)
    return ring.active.kid if _is_retired(ring.keys.get(kid)) else kid


def retired_kids() -> list[str]:
    """The ids of the retired keys."""
    return [kid for kid, key in keys.ring(Key.Purpose.DIGEST).keys.items() if _is_retired(key)]


def _is_retired(key: OpenKey | None) -> bool:
    return key is not None and key.state == Key.State.RETIRED
