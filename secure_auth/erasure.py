"""Erasing a person: the account ends, and the log forgets whom its events were about.

First the account is shut and everything that belongs to it goes. Then `audit.erase` events name the events that are
about it, become entries of the tree, and only then the personal data of those goes, with the salts of its commitments.
What was under way meanwhile is swept up afterwards. The account's row goes last: until then a run that was interrupted
is finished by the next, by the same address.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from audit import clocks, removal
from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason, Source
from audit.validation import MAX_IDS
from mfa.models import FACTORS
from secure_auth import accounts, addresses, administration, covering, devices, pending, sessions, tailing
from secure_auth.acting import Actor, Refused, action_event
from secure_auth.addresses import Address
from secure_auth.models import (
    AddressChange,
    FactorReset,
    FamiliarSource,
    Invitation,
    KnownDevice,
    MailToken,
    OutboxMessage,
    PendingLogin,
    Registration,
    Role,
    Session,
    User,
)
from throttling import lockout

log = structlog.get_logger(__name__)

ROUND = 10 * MAX_IDS
# A request that read the account before it was shut is over by then: a place among the tries is waited for a second, a
# range API for two, and a hash takes its time. What is recorded later stays under an id that nothing finds.
SETTLE_SECONDS = 5.0
SHUT, DELETED = (
    User.GONE
)  # the worker erases what an owner who deleted left, so that no request waits for the log
# For LIKE, which knows no case there, SQLite would read the key of every account.
_BEGINS = f"LIKE '{DELETED}%%'" if connection.vendor == "postgresql" else f"GLOB '{DELETED}*'"
DUE = f"SELECT 1 FROM secure_auth_user WHERE email_key {_BEGINS} LIMIT 1"  # noqa: S608 a constant
OWNED = (
    Session,
    KnownDevice,
    FamiliarSource,
    PendingLogin,
    MailToken,
    AddressChange,
    FactorReset,
    *FACTORS,
)


@dataclass(frozen=True)
class Erased:
    """How many events no longer tell whom they were about."""

    events: int


def erase_user(*, email: str, actor: Actor) -> Erased:
    """End the account of an address, and remove it and the address from the log.

    Raises:
        Refused: nothing here is known of this address; it is the last admin's, or has left the address meanwhile; the
            log does not go on.
    """
    address = addresses.identify(email)
    subjects = _subjects(address)
    user = _find_account(address, subjects)
    user_id = user.pk if user else ""
    if user is None and not removal.personal_data_of("", subjects, 1) and not _registrations(address):
        raise Refused("no account has this address, and the log tells nothing of it")
    covering.require_sound_log()
    _end(user, address, actor)
    events = _forget(user_id, subjects, actor)
    _settle()
    removal.forget_in_tallies(user_id)
    events += _forget(user_id, subjects, actor)
    if user:  # what a request under way left behind a run that died is found by its id alone
        User.objects.filter(pk=user_id).delete()
    removal.empty_wal()
    return Erased(events)


def _find_account(address: Address, subjects: list[str]) -> User | None:
    """The account of an address, or what an erasure that did not end left of it."""
    begun = [Q(email_key__startswith=f"{DELETED}{each}:") for each in subjects]
    known = Q(email_key__in=[address.key, *(SHUT + each for each in subjects)])
    return User.objects.filter(reduce(or_, begun, known)).order_by("pk").first()


def finish_deletions() -> bool:
    """Erase what the log tells of one account that its owner deleted; whether there was one. For the worker.

    It waits until requests that read the account before are over. A run that was interrupted is finished by the next.
    """
    settled = clocks.earlier_now() - timedelta(seconds=SETTLE_SECONDS)
    is_settled = Q(disabled_at=None) | Q(disabled_at__lt=settled)
    row = User.objects.filter(is_settled, email_key__startswith=DELETED).order_by("pk").first()
    if row is None:
        return False
    account = row.email_key.removeprefix(DELETED).partition(":")[0]
    removal.forget_in_tallies(row.pk)
    try:
        _forget(row.pk, [account], Actor(SYSTEM), Reason.BY_USER)
    except Refused as error:
        log.warning("erasure.waits", why=str(error))
        return False
    row.delete()
    removal.empty_wal()
    return True


def _settle() -> None:
    time.sleep(SETTLE_SECONDS)


def _subjects(address: Address) -> list[str]:
    """What stands for the address where no account matched, under every digest key that there is."""
    return addresses.account_ids(address.key)


def _registrations(address: Address) -> list[str]:
    began = [model.objects.filter(email_key=address.key) for model in (Registration, Invitation)]
    return [email for rows in began for email in rows.values_list("email", flat=True)]


def _end(user: User | None, address: Address, actor: Actor) -> None:
    """Shut the account and delete what belongs to it; its row keeps nothing but its id and a mark.

    Raises:
        Refused: it is the last admin's, or has left the address.
    """
    refused = None
    with transaction.atomic():
        known = devices.ids_of(user) if user else []
        if user is not None and not user.is_gone:
            refused = _shut(user, address, actor)
        else:
            drop_mail(address, "")
    if refused:
        raise refused
    lockout.unlock(address.account, user.pk if user else "", devices=known)


def _shut(user: User, address: Address, actor: Actor) -> Refused | None:
    now = timezone.now()
    is_needed = not administration.has_other_admins(user)
    locked = pending.lock_account(user.pk)
    # Who moved meanwhile would leave the new address in mails and the log.
    if locked is None or locked.email_key != user.email_key:
        return Refused("the account has left this address meanwhile; run this again")
    if locked.role == Role.ADMIN and is_needed:
        append(_event(actor, Outcome.FAILURE, reason=Reason.LAST_ADMIN, user=user.pk, details={"events": 0}))
        return Refused("the last admin cannot be erased", Reason.LAST_ADMIN)
    drop_mail(address, locked.email)
    ended = empty_account(
        user, SHUT, SHUT + address.account, Reason.ACCOUNT_DISABLED, now, source=actor.source
    )
    shut = [] if locked.disabled_at else [action_event(EventType.ACCOUNT_DISABLE, user.pk, actor)]
    append(
        *shut,
        *accounts.revocations(ended, user.pk, Reason.ACCOUNT_DISABLED, actor.source, **actor.details),
    )
    return None


def drop_mail(address: Address, email: str) -> None:
    """Mails to the address, registrations and invitations of it, in the caller's transaction: before an account leaves
    it, and locked in the order of who would take it by one of them.
    """
    invited = MailToken.objects.filter(invitation__email_key=address.key)
    list(invited.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    accounts.hold_registrations(address)
    mailed = {address.email, *_registrations(address), *([email] if email else [])}
    OutboxMessage.objects.filter(to__in=mailed).delete()
    Registration.objects.filter(email_key=address.key).delete()
    invited.delete()  # with their invitations


def empty_account(
    user: User, email: str, email_key: str, reason: Reason, now: datetime, *, source: Source
) -> list[str]:
    """Shut an account under its lock and delete what belongs to it; its row keeps its id and a mark.

    Returns the sessions that ended.
    """
    pending.bump_credentials(
        user.pk,
        disabled_at=now,
        email=email,
        email_key=email_key,
        password="!",  # noqa: S106 no password matches
        role=Role.NONE,
    )
    ended = sessions.end_sessions(user.pk, reason=reason, now=now)
    tailing.end_tails(user.pk, source=source)
    for model in OWNED:
        model._default_manager.filter(user_id=user.pk).delete()
    return ended


def _forget(user_id: str, subjects: list[str], actor: Actor, reason: Reason = Reason.BY_COMMAND) -> int:
    """Cover what the log holds of them by events, see those integrated, then delete it; how many events."""
    done = 0
    while events := removal.personal_data_of(user_id, subjects, ROUND):
        covering.require_sound_log()
        parts = [events[start : start + MAX_IDS] for start in range(0, len(events), MAX_IDS)]
        with transaction.atomic():
            covering_events = append(*(_covering(part, actor, reason) for part in parts))
        covering.integrate(covering_events)
        removal.drop_personal_data(events)
        done += len(events)
    return done


def _covering(events: list[str], actor: Actor, reason: Reason) -> NewEvent:
    """It names events, and nobody: neither in clear nor behind a commitment."""
    details: dict[str, object] = {"events": len(events), "erased": events}
    return _event(actor, Outcome.SUCCESS, details=details, reason=reason)


def _event(
    actor: Actor,
    outcome: Outcome,
    *,
    details: dict[str, object],
    reason: Reason,
    user: str = "",
) -> NewEvent:
    return NewEvent(
        type=EventType.AUDIT_ERASE,
        outcome=outcome,
        reason=reason,
        source=actor.source,
        user=user,
        details={**details, **actor.details},
        text={"note": actor.reason} if actor.reason else {},
    )
