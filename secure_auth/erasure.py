"""Erasing a person: the account ends, and the log forgets whom its events were about.

First the account is shut and everything that belongs to it goes. Then `audit.erase` events name the events that are
about it, become entries of the tree, and only then the personal data of those goes, with the salts of its commitments.
The account's row goes last: until then a run that was interrupted is finished by the next, by the same address. What
was under way meanwhile is swept up afterwards.
"""

import time
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from audit import removal
from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason
from audit.validation import MAX_IDS
from mfa.models import RecoveryCode, TotpAuthenticator
from secure_auth import accounts, addresses, administration, covering, keys, pending, sessions
from secure_auth.acting import Actor, Refused, action_event
from secure_auth.addresses import Address
from secure_auth.models import (
    AddressChange,
    FactorReset,
    FamiliarSource,
    Key,
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

ROUND = 10 * MAX_IDS
SETTLE_SECONDS = 2.0  # a request that read the account before it was shut is over by then
SHUT = "erased:"


@dataclass(frozen=True)
class Erased:
    """How many events no longer tell whom they were about."""

    events: int


def erase_user(*, email: str, actor: Actor) -> Erased:
    """End the account of an address, and remove it and the address from the log.

    Raises:
        Refused: nothing here is known of this address; it is the last admin's; the log does not go on.
    """
    address = addresses.identify(email)
    subjects = _subjects(address)
    user = User.objects.filter(email_key__in=[address.key, *(SHUT + each for each in subjects)]).first()
    user_id = user.pk if user else ""
    if user is None and not removal.personal_data_of("", subjects, 1) and not _registrations(address):
        raise Refused("no account has this address, and the log tells nothing of it")
    _end(user, address, actor)
    events = _forget(user_id, subjects, actor)
    if user:
        User.objects.filter(pk=user_id).delete()
    _settle()
    removal.forget_in_tallies(user_id)
    return Erased(events + _forget(user_id, subjects, actor))


def _settle() -> None:
    time.sleep(SETTLE_SECONDS)


def _subjects(address: Address) -> list[str]:
    """What stands for the address where no account matched, under every digest key that there is."""
    return [addresses.account_id(address.key, kid=kid) for kid in keys.ring(Key.Purpose.DIGEST).keys]


def _registrations(address: Address) -> list[str]:
    return list(Registration.objects.filter(email_key=address.key).values_list("email", flat=True))


def _end(user: User | None, address: Address, actor: Actor) -> None:
    """Shut the account and delete what belongs to it; its row keeps nothing but its id and a mark.

    Raises:
        Refused: it is the last admin's.
    """
    refused = None
    with transaction.atomic():
        if user is not None and not user.email_key.startswith(SHUT):
            refused = _shut(user, address, actor)
        if refused is None:
            mailed = {address.email, *_registrations(address), *([user.email] if user else [])}
            OutboxMessage.objects.filter(to__in=mailed).delete()
            Registration.objects.filter(email_key=address.key).delete()
    if refused:
        raise refused
    lockout.unlock(address.account, user.pk if user else "")


def _shut(user: User, address: Address, actor: Actor) -> Refused | None:
    now = timezone.now()
    last_admin = user.role == Role.ADMIN and not administration.has_other_admins(user)
    pending.lock_account(user.pk)
    if last_admin:
        append(_event(actor, Outcome.FAILURE, reason=Reason.LAST_ADMIN, user=user.pk, details={"events": 0}))
        return Refused("the last admin cannot be erased", Reason.LAST_ADMIN)
    pending.bump_credentials(
        user.pk,
        disabled_at=now,
        email=SHUT,
        email_key=SHUT + address.account,
        password="!",  # noqa: S106 no password matches
        role=Role.NONE,
    )
    ended = sessions.end_sessions(user.pk, reason=Reason.ACCOUNT_DISABLED, now=now)
    shut = [] if user.disabled_at else [action_event(EventType.ACCOUNT_DISABLE, user.pk, actor)]
    append(
        *shut,
        *accounts.revocations(ended, user.pk, Reason.ACCOUNT_DISABLED, actor.source, **actor.details),
    )
    for model in (
        Session,
        KnownDevice,
        FamiliarSource,
        PendingLogin,
        MailToken,
        AddressChange,
        FactorReset,
        TotpAuthenticator,
        RecoveryCode,
    ):
        model._default_manager.filter(user_id=user.pk).delete()
    return None


def _forget(user_id: str, subjects: list[str], actor: Actor) -> int:
    """Cover what the log holds of them by events, see those integrated, then delete it; how many events."""
    done = 0
    while events := removal.personal_data_of(user_id, subjects, ROUND):
        parts = [events[start : start + MAX_IDS] for start in range(0, len(events), MAX_IDS)]
        with transaction.atomic():
            covering_events = append(*(_covering(part, actor) for part in parts))
        covering.integrate(covering_events)
        removal.drop_personal_data(events)
        done += len(events)
    return done


def _covering(events: list[str], actor: Actor) -> NewEvent:
    """It names events, and nobody: neither in clear nor behind a commitment."""
    return _event(actor, Outcome.SUCCESS, details={"events": len(events), "erased": events})


def _event(
    actor: Actor,
    outcome: Outcome,
    *,
    details: dict[str, object],
    reason: Reason | None = None,
    user: str = "",
) -> NewEvent:
    return NewEvent(
        type=EventType.AUDIT_ERASE,
        outcome=outcome,
        reason=reason or Reason.BY_COMMAND,
        source=actor.source,
        user=user,
        details={**details, **actor.details},
        text={"note": actor.reason} if actor.reason else {},
    )
