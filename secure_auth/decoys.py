"""What an address without an account costs, while accounts were imported whose hashes are not ours.

Such a hash takes another time than ours. Were it only accounts that answer in that time, the time would tell them. So
of the addresses without an account the same share does the work of an old hash, always the same ones: that an address
takes the old time makes it no likelier to have an account. As accounts sign in and get hashes of ours, that share
falls with theirs. Exact only where one kind of old hash was imported; each node counts anew every COUNT_SECONDS.

Which ones tells the oldest digest key, which stays as long as there are such hashes: an address that went over to the
old time with a new key would be known to have no account.
"""

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Q

from secure_auth import digest_ring, hashers
from secure_auth.models import User, UserImport

COUNT_SECONDS = 300
SAMPLE = 200
OURS = Q(
    password__startswith=f"argon2$argon2id$v=19$m={settings.ARGON2_MEMORY_KIB},t={settings.ARGON2_TIME_COST},"
)
NONE = Q(password__startswith="!")  # noqa: S106 the same


@dataclass(frozen=True)
class Old:
    """The commonest kind of old hash, by one of them, and which share of all accounts has any."""

    encoded: str = field(default="", repr=False)
    share: float = 0.0
    counted_at: float = float("-inf")


_old = Old()
_counting = threading.Lock()


def find_decoy(email_key: str) -> str:
    """A hash to compute for an address that has no account; empty: one of ours."""
    old = _current()
    if not old.encoded:
        return ""
    keyed = digest_ring.lasting_digest("decoy", email_key)
    digest = hashlib.sha256(keyed.encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    return old.encoded if place < old.share else ""


def _current() -> Old:
    """What was counted lately. Whoever finds it too old counts; the others go on with what there is."""
    global _old
    if time.monotonic() - _old.counted_at > COUNT_SECONDS and _counting.acquire(blocking=False):
        try:
            _old = _count()
        finally:
            _counting.release()
    return _old


def are_needed() -> bool:
    """Whether an import brought hashes that are not ours, and some may be left."""
    return UserImport.objects.filter(has_foreign_hashes=True).exists()


def _count() -> Old:
    """Nothing is counted where no import brought old hashes."""
    now = time.monotonic()
    brought = UserImport.objects.filter(has_foreign_hashes=True)
    if not are_needed():
        return Old(counted_at=now)
    foreign = User.objects.exclude(OURS | NONE)
    count = foreign.count()
    sample = list(foreign.values_list("password", flat=True)[:SAMPLE])
    old = [one for one in sample if hashers.takes_other_time(one)]
    if not old:
        if count == len(sample):
            brought.filter(finished_at__isnull=False).update(has_foreign_hashes=False)
        return Old(counted_at=now)
    kinds = Counter(describe_kind(encoded) for encoded in old)
    common = kinds.most_common(1)[0][0]
    encoded = next(one for one in old if describe_kind(one) == common)
    return Old(encoded, count * len(old) / len(sample) / User.objects.count(), now)


def describe_kind(encoded: str) -> str:
    """What a hash costs to compute: its beginning, without what differs between accounts of one system."""
    parts = encoded.removeprefix("wrapped$").split("$")
    wrapped = "wrapped$" if encoded.startswith("wrapped$") else ""
    return wrapped + "$".join(part for part in parts[:4] if len(part) < 20 and part[:1].isalnum())
