"""A rotation of the encryption ring: every sealed secret is sealed anew while the service runs, then the old key goes.

The next key has been in every node's ring for long before the first row bears its id, and no node seals with a key
that is retired (`keys.sealing_key`). A row says by its key id whether it is done: a run that died is finished by the
next, and two at once share the work. The old key is destroyed when no row bears its id, under a lock on the key.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction
from django.utils import timezone

from audit.append import append
from audit.events import EventType, Outcome, Reason, Source
from mfa.models import TotpAuthenticator
from secure_auth import factors, keys, rings
from secure_auth.acting import Refused
from secure_auth.models import Key
from secure_auth.rings import Rotated

BATCH = 100  # rows in one transaction: on SQLite a login waits for the whole of it
PAUSE_SECONDS = 0.05
GIVE_UP_SECONDS = 30
NAMED = 5  # owners of what does not open, in the message
PURPOSE = Key.Purpose.ENCRYPTION
OnProgress = Callable[[int, int], None]


@dataclass
class Resealed:
    """What a run did: secrets sealed anew by the key that had sealed them, rows that do not open, keys destroyed."""

    secrets: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    destroyed: list[str] = field(default_factory=list)
    rotated: Rotated | None = None


def rotate_encryption(*, source: Source, on_progress: OnProgress) -> Resealed:
    """Finish the rotation that an earlier run left, if there is one; else rotate, and seal every secret anew.

    Raises:
        Refused: the next key is too young, or secrets do not open: those rows stay as they are, and their key too.
    """
    done = _reseal(source, on_progress)
    if not done.secrets and not done.destroyed:
        rotated = _rotate(source)
        done = _reseal(source, on_progress)
        done.rotated = rotated
    if done.unreadable:
        _record_unreadable(done, source)
        raise Refused(
            f"sealed anew: {sum(done.secrets.values())}; {_name_unreadable(done)}. They were altered or copied: "
            "reset_mfa their owners, then run this again"
        )
    return done


def _rotate(source: Source) -> Rotated | None:
    """None where another operator did so a moment ago: then that rotation is shared."""
    try:
        return rings.rotate(purpose=PURPOSE, source=source)
    except Refused:
        if not _retired():
            raise
        return None


def _retired() -> list[str]:
    return list(Key.objects.filter(purpose=PURPOSE, state=Key.State.RETIRED).values_list("kid", flat=True))


def _reseal(source: Source, on_progress: OnProgress) -> Resealed:
    """Seal anew whatever a retired key has sealed, until nothing is left, then destroy those keys."""
    done, deadline = Resealed(), time.monotonic() + GIVE_UP_SECONDS
    keys.distrust_ring(PURPOSE)
    while retired := _retired():
        before = sum(done.secrets.values())
        left = factors.count_sealed(retired, but=list(done.unreadable))
        if not left:
            break
        _walk(retired, done, on_progress, total=before + left)
        if sum(done.secrets.values()) > before:
            deadline = time.monotonic() + GIVE_UP_SECONDS
        elif time.monotonic() > deadline:
            raise Refused(f"{left} rows are held by others; what is done stays done: run this again")
        else:
            time.sleep(PAUSE_SECONDS)
    _destroy_unused(done, source)
    return done


def _walk(retired: list[str], done: Resealed, on_progress: OnProgress, *, total: int) -> None:
    """Once through all rows of these keys, batch by batch. A crash loses the batch that was under way."""
    after = ""
    while batch := _reseal_batch(retired, after, done):
        after = batch[-1].pk
        on_progress(sum(done.secrets.values()), total)


def _reseal_batch(retired: list[str], after: str, done: Resealed) -> list[TotpAuthenticator]:
    """The next rows; those that a login or another operator holds are left for a later pass: nobody is waited for."""
    with transaction.atomic():
        key = keys.sealing_key(PURPOSE)
        waiting = TotpAuthenticator.objects.select_for_update(skip_locked=True)
        found = waiting.filter(key_id__in=retired, pk__gt=after).exclude(pk__in=list(done.unreadable))
        batch = list(found.order_by("pk")[:BATCH])
        sealed_by = [row.key_id for row in batch]
        outcomes = [factors.reseal_totp(row, key) for row in batch]
    for row, kid, outcome in zip(batch, sealed_by, outcomes, strict=True):
        if outcome:
            done.secrets[kid] += 1
        elif outcome is None:
            done.unreadable[row.pk] = kid
    return batch


def _destroy_unused(done: Resealed, source: Source) -> None:
    """Destroy the retired keys whose id no row bears."""
    with transaction.atomic():
        retired = Key.objects.select_for_update().filter(purpose=PURPOSE, state=Key.State.RETIRED)
        for key in retired.order_by("kid"):
            if not factors.count_sealed([key.kid]):
                counts = {"secrets": done.secrets[key.kid]}
                rings.destroy(key, Reason.ROTATION, now=timezone.now(), source=source, counts=counts)
                done.destroyed.append(key.kid)


def _name_unreadable(done: Resealed) -> str:
    """How many rows do not open, and whose the first of them are."""
    rows = TotpAuthenticator.objects.filter(pk__in=list(done.unreadable)).order_by("user_id")
    owners = rows.values_list("user__email", flat=True).distinct()[:NAMED]
    return (
        f"do not open: {len(done.unreadable)} (of {', '.join(owners)}{' …' if len(owners) == NAMED else ''})"
    )


def _record_unreadable(done: Resealed, source: Source) -> None:
    """Rows that do not open are a trace of somebody who writes to the tables."""
    counts = Counter(done.unreadable.values())
    failed = partial(rings.event, EventType.KEY_ROTATE, outcome=Outcome.FAILURE)
    with transaction.atomic():
        sealed_by = Key.objects.filter(kid__in=list(counts))
        append(*(failed(key, Reason.UNREADABLE, source, {"secrets": counts[key.kid]}) for key in sealed_by))
