"""A change of an account's address, confirmed at both ends.

It is asked for by somebody freshly signed in who knows the password. The old mailbox and the new one each get a link;
only when both were followed does the address change. The request is bound to the account's credential_version: a
changed or reset password, a bound or removed factor, the end of all sessions or a disabling kills it and its links.
Whether the new address is taken is told to nobody but its own mailbox.

What the limits have counted stays with the address that it was counted for (docs/throttling.md): a change lifts no
lock, and changing back finds it as it was.
"""

from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from audit.vocabulary import MailboxEnd
from secure_auth import accounts, addresses, devices, links, outbox, password_checks, pending, sessions
from secure_auth.acting import Actor, Refused, action_event, lock_target, refusal_event
from secure_auth.addresses import Address
from secure_auth.errors import Code, Problem, invalid_token, validation_failed
from secure_auth.models import AddressChange, MailToken, Registration, Session, User

OLD, NEW = MailToken.Purpose.OLD_ADDRESS, MailToken.Purpose.NEW_ADDRESS


class Ended(NamedTuple):
    """What a change of address ended, by ids."""

    sessions: list[str]
    devices: list[str]


def request_change(
    *, user: User, session: Session, current_password: str, new_email: str, source: Source
) -> None:
    """Mail a link to both addresses; a request that is open is replaced.

    Raises:
        Problem: validation_failed, invalid_credentials, temporarily_locked, rate_limited, invalid_token,
            service_unavailable.
    """
    new, old = accounts.demand_address(new_email, name="new_email"), Address(user.email, user.email_key)
    if new.key == old.key:
        raise validation_failed("new_email", "unchanged", "This is the address of the account already.")
    checked = password_checks.prove_current_password(
        user=user,
        session=session,
        password=current_password,
        source=source,
        kind=EventType.ADDRESS_REQUEST,
    )
    with (
        accounts.mail_reserved(new, old, source=source, user=user.pk, session=session.pk) as mailed,
        transaction.atomic(),
    ):
        taken = accounts.owner_of(new, beside=user.pk)
        locked = password_checks.lock_unchanged(checked, session)
        if locked is None:
            raced = Reason.CREDENTIAL_CHANGED
            append(_event(EventType.ADDRESS_REQUEST, user.pk, raced, source, session=session.pk, failed=True))
        elif not mailed:
            append(
                _event(EventType.ADDRESS_REQUEST, user.pk, Reason.RATE_LIMITED, source, session=session.pk)
            )
        else:
            change = _begin(locked, session, new)
            _mail_both(locked, change, taken)
            reason = Reason.KNOWN_ADDRESS if taken else Reason.NONE
            append(
                _event(
                    EventType.ADDRESS_REQUEST, user.pk, reason, source, session=session.pk, change=change.id
                )
            )
    if locked is None:
        raise invalid_token()


def _event(
    kind: EventType,
    user_id: str,
    reason: Reason,
    source: Source,
    *,
    session: str = "",
    failed: bool = False,
    **details: object,
) -> NewEvent:
    return NewEvent(
        type=kind,
        outcome=Outcome.FAILURE if failed else Outcome.SUCCESS,
        reason=reason,
        source=source,
        user=user_id,
        session=session,
        details=details,
    )


def _begin(user: User, session: Session, new: Address) -> AddressChange:
    now = timezone.now()
    _settle_open(user.pk, now)
    return AddressChange.objects.create(
        user=user,
        session_id=session.pk,
        credential_version=user.credential_version,
        email=new.email,
        email_key=new.key,
        created_at=now,
    )


def _settle_open(user_id: str, now: datetime) -> None:
    AddressChange.objects.filter(user_id=user_id, settled_at=None).update(settled_at=now)
    links.kill_links(user_id, OLD, NEW, now=now)


def _mail_both(user: User, change: AddressChange, taken: User | None) -> None:
    """To an account that has the new address goes a reset of its password; the work is the same.

    Else whoever asks for somebody's address again and again would use up the mails by which a reset opens a lock.
    """
    old_link = links.create_link(OLD, user=user, change=change)
    outbox.queue_mail("address_old", to=user.email, token=old_link, new=change.email)
    if taken is None:
        new_link = links.create_link(NEW, user=user, change=change)
        outbox.queue_mail("address_new", to=change.email, token=new_link)
        return
    is_shut = taken.disabled_at is not None  # which no reset opens
    reset_link = links.create_link(MailToken.Purpose.RESET, user=None if is_shut else taken)
    outbox.queue_mail(outbox.DECOY if is_shut else "address_taken", to=taken.email, token=reset_link)


def confirm_change(*, token: str, source: Source) -> bool:
    """Confirm at one end; whether the address has changed by this, for the other end has confirmed before.

    Raises:
        Problem: invalid_link, also when the address was taken meanwhile.
    """
    now = timezone.now()
    link = links.find_link(token, OLD, NEW, now=now)
    if link is None or link.change is None:
        raise accounts.refuse_link(EventType.ADDRESS_CONFIRM, source=source)
    events: list[NewEvent] = []
    valid = changed = False
    with transaction.atomic():
        user = pending.lock_account(link.change.user_id)
        change = AddressChange.objects.filter(pk=link.change.pk, settled_at=None).first()
        if user and change and _is_usable(change, user) and links.spend_link(link, now=now):
            valid, events = True, [_confirm_end(change, link, now, source)]
            if change.old_confirmed_at and change.new_confirmed_at:
                changed, followed = _conclude(user, change, now, source)
                valid, events = changed, events + followed
            append(*events)
    if not events:
        raise accounts.refuse_link(EventType.ADDRESS_CONFIRM, source=source)
    if not valid:
        raise Problem(Code.INVALID_LINK)
    return changed


def _is_usable(change: AddressChange, user: User) -> bool:
    """Whether the account is as it was when the change was asked for."""
    return user.disabled_at is None and change.credential_version == user.credential_version


def _confirm_end(change: AddressChange, link: MailToken, now: datetime, source: Source) -> NewEvent:
    end = MailboxEnd.OLD if link.purpose == OLD else MailboxEnd.NEW
    name = f"{end}_confirmed_at"
    setattr(change, name, now)
    change.save(update_fields=[name])
    return _event(EventType.ADDRESS_CONFIRM, change.user_id, Reason.NONE, source, change=change.id, end=end)


def _conclude(
    user: User, change: AddressChange, now: datetime, source: Source
) -> tuple[bool, list[NewEvent]]:
    """Change the address, or settle that another account has taken it: whether it changed, and the events."""
    ended = _move(user, Address(change.email, change.email_key), keep=change.session_id, now=now)
    if ended is None:
        _settle_open(user.pk, now)
        taken = Reason.KNOWN_ADDRESS
        refused = _event(EventType.ADDRESS_CHANGE, user.pk, taken, source, failed=True, change=change.id)
        return False, [refused]
    done = _event(
        EventType.ADDRESS_CHANGE,
        user.pk,
        Reason.BY_USER,
        source,
        change=change.id,
        sessions=len(ended.sessions),
    )
    return True, [done, *_told(ended, user, source)]


def _told(ended: Ended, user: User, source: Source, **details: object) -> list[NewEvent]:
    cause = Reason.ADDRESS_CHANGED
    return accounts.revocations(ended.sessions, user.pk, cause, source, device_ids=ended.devices, **details)


def _move(user: User, new: Address, *, keep: str, now: datetime, by_operator: str = "") -> Ended | None:
    """Give an account its new address; what ended by it, None when the address is taken.

    Mailed links die with the mailbox that they lie in, but for one that cancels a waiting reset of the factors.
    """
    accounts.hold_registrations(new)
    try:
        with transaction.atomic():
            pending.bump_credentials(user.pk, email=new.email, email_key=new.key)
    except IntegrityError:
        return None
    Registration.objects.filter(email_key=new.key).delete()
    _settle_open(user.pk, now)
    links.kill_links(user.pk, MailToken.Purpose.RESET, MailToken.Purpose.ENROL, now=now)
    forgotten = devices.forget_devices(user.pk, now=now)
    for to in (user.email, new.email):
        outbox.queue_mail("address_changed", to=to, old=user.email, new=new.email, by_operator=by_operator)
    over = sessions.end_sessions(user.pk, reason=Reason.ADDRESS_CHANGED, now=now, keep=keep)
    return Ended(over, forgotten)


def change_by_operator(*, user: User, new_email: str, actor: Actor) -> None:
    """Change an address whose mailbox is lost; all sessions are over, and both addresses are told.

    Raises:
        Refused: the new address is malformed, taken or the account's own; the account was deleted meanwhile.
    """
    try:
        new = addresses.parse_address(new_email)
    except ValueError as error:
        raise Refused("the new address is not an e-mail address") from error
    if new.key == user.email_key:
        raise Refused("this is the address of the account already")
    with transaction.atomic():
        ended = _move(lock_target(user), new, keep="", now=timezone.now(), by_operator="yes")
        if ended is None:
            append(refusal_event(EventType.ADDRESS_CHANGE, user.pk, actor, Reason.KNOWN_ADDRESS))
        else:
            done = action_event(EventType.ADDRESS_CHANGE, user.pk, actor, sessions=len(ended.sessions))
            append(done, *_told(ended, user, actor.source, **actor.details))
    if ended is None:
        raise Refused("an account with this address exists")
