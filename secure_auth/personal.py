"""What the law lets a person ask of a service: a copy of everything about oneself, and to be forgotten.

GDPR articles 15 and 20 (access, portability) and 17 (erasure). Both need a fresh second factor; to be forgotten needs
the password too, since it cannot be taken back.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from mfa import recovery_codes
from secure_auth import (
    accounts,
    administration,
    devices,
    erasure,
    factors,
    inventory,
    outbox,
    password_checks,
    pending,
    refusals,
    review,
)
from secure_auth.access import Signed
from secure_auth.addresses import Address
from secure_auth.errors import Code, Problem, invalid_token
from secure_auth.models import KnownDevice, Role, Session, User
from throttling import lockout

MOST_EVENTS = 5000
PAGE = 200


def delete_account(*, user: User, session: Session, current_password: str, source: Source) -> None:
    """End one's own account, now and for good. What the log tells of it is erased by the worker seconds later.

    Raises:
        Problem: invalid_credentials, temporarily_locked, invalid_token, service_unavailable; validation_failed, it is
            the last admin's.
    """
    checked = password_checks.prove_current_password(
        user=user,
        session=session,
        password=current_password,
        source=source,
        kind=EventType.ACCOUNT_DELETE,
    )
    address, now = Address(user.email, user.email_key), timezone.now()
    deleted = NewEvent(
        type=EventType.ACCOUNT_DELETE,
        outcome=Outcome.SUCCESS,
        reason=Reason.BY_USER,
        source=source,
        user=user.pk,
        session=session.id,
    )
    known = devices.ids_of(user)
    with transaction.atomic():
        refusal = _judge(checked, session, is_needed=not administration.has_other_admins(user))
        if refusal:
            problem, reason = refusal
            append(replace(deleted, outcome=Outcome.FAILURE, reason=reason))
        else:
            events = _end(user, address, source, now)
            append(replace(deleted, details={"sessions": len(events)}), *events)
    if refusal:
        raise problem
    lockout.unlock(address.account, user.pk, devices=known)


def _judge(checked: User, session: Session, *, is_needed: bool) -> tuple[Problem, Reason] | None:
    """Lock the account and say why it stays: another request changed it meanwhile, or nobody else is admin."""
    locked = pending.lock_account(checked.pk)
    is_live = Session.objects.filter(pk=session.pk, revoked_at=None).exists()
    if locked is None or not is_live or locked.credential_version != checked.credential_version:
        return invalid_token(), Reason.CREDENTIAL_CHANGED
    if locked.role == Role.ADMIN and is_needed:
        detail = "The last admin cannot be deleted."
        return Problem(Code.VALIDATION_FAILED, detail=detail), Reason.LAST_ADMIN
    return None


def _end(user: User, address: Address, source: Source, now: datetime) -> list[NewEvent]:
    """Everything of the account goes; its address is free, and gets the last mail."""
    mark = f"{erasure.DELETED}{address.account}:{user.pk}"
    erasure.drop_mail(address, user.email)
    ended = erasure.empty_account(user, erasure.DELETED, mark, Reason.ACCOUNT_DELETED, now, source=source)
    outbox.queue_mail("account_deleted", to=user.email)
    return accounts.revocations(ended, user.pk, Reason.ACCOUNT_DELETED, source)


def export_account(*, signed: Signed, source: Source) -> dict[str, Any]:
    """Everything about oneself that the service keeps, but what opens the account.

    Of the events the newest MOST_EVENTS; `me/activity/` has them all.

    Raises:
        Problem: rate_limited, service_unavailable.
    """
    user, session = signed.user, signed.session
    with refusals.limits_refused(source=source, user=user.pk, session=session.id):
        lockout.reserve_personal_export(user.pk)
    with transaction.atomic():
        append(factors.plain_event(EventType.ACCOUNT_EXPORT, user.pk, source=source, session=session.id))
    events, is_whole = _own_events(signed)
    return {
        "exported_at": timezone.now(),
        "account": _account(user),
        "authenticators": inventory.list_authenticators(user.pk),
        "recovery_codes_left": recovery_codes.count_left(user.pk),
        "sessions": list(Session.objects.filter(user=user).order_by("-created_at")),
        "devices": _devices(user),
        "events": events,
        "events_complete": is_whole,
    }


def _account(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "roles": user.roles,
        "created_at": user.created_at,
        "mailbox_proved_at": user.mailbox_proved_at,
    }


def _devices(user: User) -> list[KnownDevice]:
    return list(devices.live_devices(timezone.now()).filter(user=user).order_by("-created_at"))


def _own_events(signed: Signed) -> tuple[list[dict[str, Any]], bool]:
    """The newest events, and whether these are all."""
    found: list[dict[str, Any]] = []
    query = {"limit": str(PAGE)}
    while len(found) < MOST_EVENTS:
        page = review.list_activity(signed=signed, query=query)
        found += page.results
        if not page.next:
            return found, True
        query["cursor"] = page.next
    return found, False
