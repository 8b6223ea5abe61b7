"""What django-axes' resets lift: of one account, of one source, or of all accounts.

Promises: reservations in flight stay, and no transaction holds the locks of more than BATCH accounts unless the
caller's own does. Each answers how many buckets held something.
"""

from collections.abc import Iterable

from throttling import inspection, lanes, limiter
from throttling.address import source_key
from throttling.reservations import BucketStatus, Clear

BATCH = 200


def reset_account(account: str, ip: str | None = None) -> int:
    """The password's locks of an account, from everywhere or from one source."""
    owner, key = f"account:{account}", source_key(ip) if ip else None
    held = [one for one in inspection.status(owner) if one.purpose in lanes.PASSWORD_PURPOSES]
    held = [one for one in held if key in (None, one.key)]
    limiter.clear(owner, purposes=lanes.PASSWORD_PURPOSES, key=key)
    return len(held)


def reset_source(ip: str) -> int:
    """The password step's limits of a source and its network, and the locks of all accounts at this source."""
    clears = lanes.source_clears(ip)
    held = [
        one for clear in clears for one in inspection.status(clear.owner) if one.purpose in clear.purposes
    ]
    limiter.clear_all(clears)
    return len(held) + _clear(inspection.survey("password_account_source", key=source_key(ip)))


def reset_all() -> int:
    """The password's locks of all accounts; limits of sources go on."""
    return _clear(inspection.survey(*lanes.PASSWORD_PURPOSES))


def _clear(buckets: Iterable[BucketStatus]) -> int:
    """In the order in which every call takes its locks, so that no two of them wait for each other."""
    held = list(buckets)
    for start in range(0, len(held), BATCH):
        batch = held[start : start + BATCH]
        limiter.clear_all(tuple(Clear(one.owner, (one.purpose,), one.key) for one in batch))
    return len(held)
