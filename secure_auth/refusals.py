"""From a limit that is reached to the event and the problem that say so."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone

from audit.append import NewEvent, append, append_collapsed
from audit.events import SYSTEM, EventType, Outcome, Reason, Source
from audit.vocabulary import LimitStore
from secure_auth import floods, letters, outbox
from secure_auth.addresses import Address
from secure_auth.errors import Code, Problem, service_unavailable
from secure_auth.models import PendingLogin, User, new_id
from throttling import lockout
from throttling.limits import WIDE_KIND
from throttling.reservations import LimitExceeded, Settlement, StoreUnavailable
from throttling.stores.routing import store_changed

LOCKOUTS = frozenset(
    {
        "password_account_source",
        "password_account",
        "password_device",
        "totp_account",
        "totp_consecutive",
        "totp_device",
        "totp_device_consecutive",
        "recovery_account",
    }
)
SECOND_STEP_LOCKS = frozenset({"totp_account", "totp_consecutive", "totp_device"})

STEPS = {  # what the owner is told of, and where the lock holds
    "password_account_source": "source",
    "password_account": "everywhere",
    "totp_account": "second",
    "totp_consecutive": "second",
    "totp_device": "second",
    "recovery_account": "second",
}

DETAILS = {  # where what a lock of the password says would be untrue: no reset opens these
    **dict.fromkeys(
        (*SECOND_STEP_LOCKS, "totp_device_consecutive"),
        "There were too many wrong codes. A passkey or a recovery code opens this at once; else wait as long as "
        "Retry-After says.",
    ),
    "recovery_account": "There were too many wrong recovery codes. Use a TOTP code or a passkey, or wait as long as "
    "Retry-After says.",
}


@contextmanager
def limits_refused(
    *, source: Source, user: str = "", address: Address | None = None, session: str = ""
) -> Iterator[None]:
    """Turn a refusal of the limiter into its event, once a window, and its problem.

    The event names the account: as `user`, or by the typed `address`, whose account is looked up only now.
    """
    try:
        yield
    except LimitExceeded as error:
        _record_limit(error, source=source, user=user, address=address, session=session)
        raise limit_problem(error) from error
    except StoreUnavailable as error:
        raise service_unavailable() from error


def _record_limit(
    error: LimitExceeded, *, source: Source, user: str, address: Address | None, session: str
) -> None:
    subject = ""
    if address and not error.is_repeated:
        user = User.objects.filter(email_key=address.key).values_list("pk", flat=True).first() or ""
        subject = "" if user else address.account
    event = NewEvent(
        type=EventType.LIMIT_EXCEEDED,
        outcome=Outcome.FAILURE,
        reason=_limit_reason(error),
        source=source,
        user=user,
        subject=subject,
        session=session,
        details={
            "limit": error.limit.purpose,
            "key": error.claim.kind,
            "count": error.count,
            "retry_after_seconds": error.retry_after_seconds,
        },
    )
    # A network that is refused as one is one flood: else each of a /48's 65,536 sources would get an event of its own.
    is_wide = error.claim.kind == WIDE_KIND
    key = f"{error.limit.purpose} {error.claim.owner}" if is_wide else error.limit.purpose
    if error.is_repeated:
        floods.count(event, key=key, by_source=not is_wide)
    else:
        record_unseen_locks(error, source=source, user=user, subject=subject)
        record_collapsed(event, key=key, by_source=not is_wide)


def _limit_reason(error: LimitExceeded) -> Reason:
    if error.in_flight:
        return Reason.CAPACITY
    return Reason.LOCKED if error.limit.purpose in LOCKOUTS else Reason.RATE_LIMITED


def limit_problem(error: LimitExceeded) -> Problem:
    """429: a lock of the account from here, or a rate of the source."""
    locked = error.limit.purpose in LOCKOUTS and not error.in_flight
    code = Code.TEMPORARILY_LOCKED if locked else Code.RATE_LIMITED
    detail = DETAILS.get(error.limit.purpose, "") if locked else ""
    return Problem(code, detail, headers={"Retry-After": str(error.retry_after_seconds)})


def record_unseen_locks(error: LimitExceeded, *, source: Source, user: str = "", subject: str = "") -> None:
    """Record the locks that attempts of processes that died began, and that this refusal is the first to find.

    They name no session: whoever finds them did not begin them.
    """
    if error.unsaid:
        with transaction.atomic():
            if (
                user
            ):  # before the buckets, as whoever settles a second step does: else the two wait for each other
                User.objects.select_for_update().filter(pk=user).values_list("pk").first()
            locked = lockout.tell_locks(error)
            append(*begin_locks(locked, source=source, user=user, subject=subject))


def begin_locks(
    settlement: Settlement, *, source: Source, user: str = "", subject: str = "", session: str = ""
) -> list[NewEvent]:
    """The consequences of counted failures: one account.lock for each limit that they exhausted; a lock of the second
    step ends all logins under way; the owner is told.
    """
    _tell_owner(settlement, source=source, user=user)
    if user and not SECOND_STEP_LOCKS.isdisjoint(lock.limit.purpose for lock in settlement.locked):
        PendingLogin.objects.filter(user_id=user, ended_at=None).update(ended_at=timezone.now())
    return [
        NewEvent(
            type=EventType.ACCOUNT_LOCK,
            outcome=Outcome.SUCCESS,
            source=source,
            user=user,
            subject=subject,
            session=session,
            details={"limit": lock.limit.purpose, "level": lock.level, "until": lock.until},
        )
        for lock in settlement.locked
        if lock.limit.purpose in LOCKOUTS
    ]


def _tell_owner(settlement: Settlement, *, source: Source, user: str) -> None:
    """One mail a day for each kind of lock of an account, under its lock: one that is deleted meanwhile gets none. The
    work is the same where there is no account.

    Of a known device's lock another mail tells.
    """
    steps = {STEPS[lock.limit.purpose] for lock in settlement.locked if lock.limit.purpose in STEPS}
    if not steps:
        return
    now = timezone.now()
    to = User.present().filter(pk=user).values_list("email", flat=True).first()
    outbox.queue_mail_once(
        f"locked:{min(steps)}:{user or new_id()}:{now:%Y%m%d}",
        "locked" if to else outbox.DECOY,
        to=to or "",
        step=min(steps),
        address=source.ip,
        time=letters.moment(now),
    )


def record(*events: NewEvent) -> None:
    """Commit events of a refusal that changes nothing else."""
    with transaction.atomic():
        append(*events)


def record_collapsed(event: NewEvent, *, key: str = "", by_source: bool = True) -> None:
    """Commit an unauthenticated refusal: in full once a window, then as a count."""
    with transaction.atomic():
        append_collapsed(event, key=key, by_source=by_source)


@receiver(store_changed)
def record_store_change(store: str, **_: object) -> None:
    """A node that went over to another store of limits, once a window for all nodes and processes."""
    is_away = store == LimitStore.DATABASE
    event = NewEvent(
        type=EventType.LIMIT_STORE,
        outcome=Outcome.FAILURE if is_away else Outcome.SUCCESS,
        reason=Reason.UNAVAILABLE if is_away else Reason.NONE,
        source=SYSTEM,
        details={"store": store},
    )
    record_collapsed(event, key=store)
