"""Known devices that spent their budget of wrong passwords or codes: whoever holds one may be guessing.

Such a device is forgotten: what comes from it afterwards is judged like anybody's, and its owner is told. Nothing is
closed to the owner elsewhere, whoever did it.
"""

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import agents, devices, letters, outbox, refusals
from secure_auth.models import KnownDevice, User
from throttling.headers import withdraw_usage
from throttling.reservations import LimitExceeded, Settlement

DEVICES_RATES = {"password_device_attempts", "password_source_wide"}  # of the account, of the source
BUDGETS = {"password_device": "first", "totp_device_consecutive": "second"}  # by purpose: of which step


def forget_refused(refusal: LimitExceeded, *, source: Source, user: User | None) -> bool:
    """Forget a known device whose lane is used up, though nobody did when it became so: its process had died then.

    True where the attempt may go on as from anywhere, also when only a rate of devices is spent, the account's or the
    source's: else who has the password and one of them would keep its owner from all. False when something else
    refused.
    """
    is_rate = refusal.limit.purpose in DEVICES_RATES
    if user is None or not (is_rate or (refusal.limit.purpose in BUDGETS and not refusal.in_flight)):
        return False
    withdraw_usage(refusal.usage)  # what decides about the attempt from anywhere is what its answer tells
    if is_rate:
        return True
    refusals.record_unseen_locks(refusal, source=source, user=user.pk)
    with transaction.atomic():
        append(*_forget(user, refusal.claim.owner, refusal.limit.purpose, source))
    return True


def forget_exhausted(settlement: Settlement, *, source: Source, user: User | None) -> None:
    """Forget the known device whose budget a failure exhausted, if one did, and record it."""
    if user is not None and any(lock.limit.purpose in BUDGETS for lock in settlement.locked):
        with transaction.atomic():
            append(*exhausted(settlement, source=source, user=user))


def exhausted(settlement: Settlement, *, source: Source, user: User) -> list[NewEvent]:
    """The same in the transaction that settled, under the account's lock; the events are for the caller to append."""
    spent = [lock for lock in settlement.locked if lock.limit.purpose in BUDGETS]
    return [event for lock in spent for event in _forget(user, lock.owner, lock.limit.purpose, source)]


def _forget(user: User, owner: str, purpose: str, source: Source) -> list[NewEvent]:
    """`owner`: of the limit's count, which names the device."""
    device_id = owner.partition(":")[2]
    if not devices.forget_devices(user.pk, device_id=device_id, now=timezone.now()):
        return []  # another request of the same burst did
    _tell_owner(user, device_id, BUDGETS[purpose], source)
    event = NewEvent(
        type=EventType.DEVICE_FORGET,
        outcome=Outcome.SUCCESS,
        reason=Reason.TOO_MANY_FAILURES,
        source=source,
        user=user.pk,
        details={"device": device_id},
    )
    return [event]


def _tell_owner(user: User, device_id: str, step: str, source: Source) -> None:
    """Whoever guessed has the device, or a copy of its token; of the second step, the password too."""
    device = KnownDevice.objects.get(pk=device_id)
    outbox.queue_mail(
        "device_forgotten",
        to=user.email,
        device=agents.describe_agent(device.user_agent).words,
        address=source.ip,
        time=letters.moment(timezone.now()),
        step=step,
    )
