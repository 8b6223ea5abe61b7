"""Taking accounts over: each with its authenticators and its event, or not at all.

Rows come in batches; a batch is one transaction that also moves the import's position, so that a run that died goes on
where its last commit was and makes nothing twice. An address that has an account is left alone. When each row is
refused for what is in it, the others are taken.
"""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import islice

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from mfa.models import TotpAuthenticator
from secure_auth import factors, hashers
from secure_auth.acting import Refused
from secure_auth.models import User, UserImport
from secure_auth.transfer.fields import FIRST_MOMENT, UNUSABLE, BadField, Newcomer, read_newcomer
from secure_auth.transfer.rows import Row

NAME = "Imported"
TRIES = 3


@dataclass(frozen=True)
class Fault:
    """A row that was not taken. `is_error` False: its address has an account, which stays as it is."""

    number: int
    field: str
    code: str
    is_error: bool = True


@dataclass(frozen=True)
class Counts:
    """What became of the rows of this run, and of how many accounts the first login may be told by time."""

    imported: int = 0
    refused: int = 0
    skipped: int = 0
    foreign: int = 0


@dataclass(frozen=True)
class Order:
    """How to import: in batches of so many rows, old hashes wrapped or not, or only tried."""

    import_id: str
    batch: int
    wrap: bool
    dry_run: bool
    source: Source


Told = Callable[[list[Fault], int], None]  # the faults of a batch, and how far the source is read


class _Seen:
    """The addresses of this run, by digest, in a temporary file: as many as there are, in constant memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, key: str) -> bool:
        """Whether this is its first time."""
        digest = blake2b(key.encode(), digest_size=16).digest()
        return bool(self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", [digest]).rowcount)

    def close(self) -> None:
        """Remove the file."""
        self._database.close()


def find_position(import_id: str) -> int:
    """How far an earlier run over the same file came; 0 when there was none, or it was finished."""
    found = UserImport.objects.filter(pk=import_id, finished_at=None).first()
    return found.position if found else 0


def import_users(*, rows: Iterator[Row], order: Order, told: Told) -> Counts:
    """Import what can be, from where an earlier run stopped; `told` hears of each batch before it is committed.

    Raises:
        Refused: the source cannot be read on, or another run is at it. What was committed stays.
    """
    position = find_position(order.import_id) if order.dry_run else _begin(order.import_id)
    counts, seen = Counts(), _Seen()
    ahead = (row for row in rows if row.number > position)
    try:
        while batch := list(islice(ahead, order.batch)):
            done, position = _import_batch(batch, position, seen, order, told)
            counts = _sum(counts, done)
    finally:
        seen.close()
    if not order.dry_run:
        _finish(order, counts)
    return counts


def _begin(import_id: str) -> int:
    """The position to go on from; of an import that was finished, its beginning."""
    with transaction.atomic():
        begun, _ = UserImport.objects.select_for_update().get_or_create(pk=import_id)
        if begun.finished_at:
            begun.position, begun.finished_at = 0, None
            begun.save(update_fields=["position", "finished_at"])
        return begun.position


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(
        one.imported + other.imported,
        one.refused + other.refused,
        one.skipped + other.skipped,
        one.foreign + other.foreign,
    )


def _import_batch(
    batch: list[Row], position: int, seen: _Seen, order: Order, told: Told
) -> tuple[Counts, int]:
    """Read a batch, compute what it needs, and commit it."""
    faults: list[Fault] = []
    newcomers = [one for row in batch if (one := _read(row, seen, faults))]
    if order.wrap and not order.dry_run:
        newcomers = _wrap_all(newcomers)
    last, fresh, untold = batch[-1], newcomers, faults
    for _ in range(TRIES):
        fresh, taken = _divide(fresh)
        told(sorted([*untold, *taken], key=lambda fault: fault.number), last.done)
        untold = []
        with suppress(IntegrityError):  # an account of one of these addresses came into being just now
            if not order.dry_run:
                _commit(fresh, position, last.number, order)
            errors = sum(fault.is_error for fault in faults)
            foreign = sum(hashers.takes_other_time(one.password) for one in fresh)
            return Counts(len(fresh), errors, len(batch) - len(fresh) - errors, foreign), last.number
    raise Refused("accounts come into being under these addresses meanwhile; run this again")


def _read(row: Row, seen: _Seen, faults: list[Fault]) -> Newcomer | None:
    if row.fault:
        faults.append(Fault(row.number, "", row.fault))
        return None
    try:
        newcomer = read_newcomer(row.number, row.fields)
    except BadField as error:
        faults.append(Fault(row.number, error.name, error.code))
        return None
    if not seen.add(newcomer.address.key):
        faults.append(Fault(row.number, "email", "duplicate", is_error=False))
        return None
    return newcomer


def _divide(newcomers: list[Newcomer]) -> tuple[list[Newcomer], list[Fault]]:
    """Those whose address has no account, and what is to be said of the others."""
    keys = [one.address.key for one in newcomers]
    existing = set(User.objects.filter(email_key__in=keys).values_list("email_key", flat=True))
    taken = [one for one in newcomers if one.address.key in existing]
    fresh = [one for one in newcomers if one.address.key not in existing]
    return fresh, [Fault(one.number, "email", "account_exists", is_error=False) for one in taken]


def _wrap_all(newcomers: list[Newcomer]) -> list[Newcomer]:
    """Argon2id over each old hash, on all cores; Argon2's own hashes stay as they are."""
    hard_to_guess = (UNUSABLE, "argon2$", f"{hashers.WRAPPED}$")

    def wrapped(one: Newcomer) -> Newcomer:
        is_bare = not one.password.startswith(hard_to_guess)
        return replace(one, password=hashers.wrap(one.password)) if is_bare else one

    with ThreadPoolExecutor(settings.CPUS) as threads:
        return list(threads.map(wrapped, newcomers))


def _commit(newcomers: list[Newcomer], position: int, last: int, order: Order) -> None:
    """One transaction; the database keeps two accounts of one address apart, the position two runs over one file.

    Raises:
        IntegrityError: an address has an account by now. Refused: another run has moved the position.
    """
    now = timezone.now()
    newcomers = sorted(newcomers, key=_key)  # in one order: two runs would wait for each other's addresses
    pairs = [(_account(one, now), one) for one in newcomers]
    moved: dict[str, object] = {"position": last}
    if any(hashers.takes_other_time(one.password) for one in newcomers):
        moved["has_foreign_hashes"] = True
    with transaction.atomic():
        if not UserImport.objects.filter(pk=order.import_id, position=position).update(**moved):
            raise Refused("another run imports the same file")
        User.objects.bulk_create(user for user, _ in pairs)
        TotpAuthenticator.objects.bulk_create(
            row for user, one in pairs for row in _authenticators(user, one, now)
        )
        append(*(_created(user, one, order) for user, one in pairs))


def _key(one: Newcomer) -> str:
    return one.address.key


def _account(one: Newcomer, now: datetime) -> User:
    """When its mailbox was proved is not known: an account without a factor binds its first with a mailed token."""
    return User(
        email=one.address.email,
        email_key=one.address.key,
        password=one.password,
        role=one.role,
        mailbox_proved_at=FIRST_MOMENT,
        had_second_factor=bool(one.totp_secrets),
        disabled_at=now if one.is_disabled else None,
        created_at=one.created_at,
    )


def _authenticators(user: User, one: Newcomer, now: datetime) -> list[TotpAuthenticator]:
    rows = []
    for scheme, secret in one.totp_secrets:
        row = TotpAuthenticator(user=user, name=NAME, confirmed_at=now, **vars(scheme))
        factors.seal_totp(row, secret)
        rows.append(row)
    return rows


def _created(user: User, one: Newcomer, order: Order) -> NewEvent:
    return NewEvent(
        type=EventType.ACCOUNT_CREATE,
        outcome=Outcome.SUCCESS,
        reason=Reason.BY_COMMAND,
        source=order.source,
        user=user.pk,
        details={
            "role": one.role or "none",
            "imported": order.import_id,
            "authenticators": len(one.totp_secrets),
        },
    )


def _finish(order: Order, counts: Counts) -> None:
    """Say that the whole source was read, and what this run made of it."""
    with transaction.atomic():
        UserImport.objects.filter(pk=order.import_id).update(finished_at=timezone.now(), position=0)
        append(
            NewEvent(
                type=EventType.USERS_IMPORT,
                outcome=Outcome.SUCCESS,
                reason=Reason.BY_COMMAND,
                source=order.source,
                details={
                    "imported": order.import_id,
                    "accounts": counts.imported,
                    "refused": counts.refused,
                    "skipped": counts.skipped,
                    "wrapped": order.wrap,
                },
            )
        )
