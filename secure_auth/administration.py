"""What operators and admins do to an account: create, disable, enable, unlock, end sessions. Factors: see recovery.py.

Each is an event that names who did it and why; the reason is free text and kept as personal data.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Reason
from secure_auth import (
    access,
    addresses,
    devices,
    forced_changes,
    links,
    outbox,
    password_policy,
    passwords,
    pending,
    recovery,
    sessions,
)
from secure_auth.acting import Actor, Refused, action_event, end_everything, lock_target, refusal_event
from secure_auth.errors import Code, FieldError, Problem
from secure_auth.models import Invitation, MailToken, Registration, Role, User
from throttling import lockout


def find_user(email: str) -> User:
    """The account of an address.

    Raises:
        Refused: there is none.
    """
    user = User.objects.filter(email_key=addresses.identify(email).key).first()
    if user is None:
        raise Refused("no account has this address")
    return user


def create_user(*, email: str, password: str, role: str, unverified: bool, actor: Actor) -> str:
    """Make an account whose mailbox counts as proved now, or a registration that its owner confirms by mail.

    Returns the new account's id; of an unverified one, the registration's.

    Raises:
        Refused: the address is malformed or taken, or the password is too weak.
    """
    try:
        address = addresses.parse_address(email)
    except ValueError as error:
        raise Refused("this is not an e-mail address") from error
    if User.objects.filter(email_key=address.key).exists():
        raise Refused("an account with this address exists")
    faults: list[FieldError] = password_policy.find_faults(password, email=address.email)
    if faults:
        raise Refused(faults[0].detail)
    encoded = passwords.hash_password(password)
    fields = {"email": address.email, "email_key": address.key, "password": encoded, "role": Role(role)}
    try:
        with transaction.atomic():
            if unverified:
                row = Registration.objects.create(**fields)
                token = links.create_link(MailToken.Purpose.CONFIRM, registration=row)
                outbox.queue_mail("confirm", to=address.email, token=token)
                append(action_event(EventType.ACCOUNT_REGISTER, "", actor))
                return row.id
            user = User.objects.create(mailbox_proved_at=timezone.now(), **fields)
            append(action_event(EventType.ACCOUNT_CREATE, user.id, actor, role=role or "none"))
            return user.id
    except IntegrityError as error:
        raise Refused("an account with this address exists") from error


def disable(*, user: User, actor: Actor) -> None:
    """Shut an account at every door: sessions, logins under way and devices die with it.

    Raises:
        Refused: it is disabled already, or the last admin who is not.
    """
    now, refusal = timezone.now(), None
    with transaction.atomic():
        is_needed = not has_other_admins(user)
        locked = pending.lock_account(user.pk)
        if locked is None or locked.disabled_at is not None:
            refusal = Refused("the account is disabled already", Reason.DISABLED)
        elif locked.role == Role.ADMIN and is_needed:
            refusal = Refused("the last admin cannot be disabled", Reason.LAST_ADMIN)
        if refusal:
            append(refusal_event(EventType.ACCOUNT_DISABLE, user.pk, actor, refusal.reason))
        else:
            pending.bump_credentials(user.pk, disabled_at=now)
            events = end_everything(user, Reason.ACCOUNT_DISABLED, actor, now)
            events += recovery.cancel_because_disabled(user, actor, now)
            events += _take_back(user, actor, now)
            append(action_event(EventType.ACCOUNT_DISABLE, user.pk, actor), *events)
    if refusal:
        raise refusal


def _take_back(user: User, actor: Actor, now: datetime) -> list[NewEvent]:
    """Invitations and waiting resets of who is no admin by this: they would be good again once the account, or its
    role, is; the events.
    """
    given = Invitation.objects.select_related("token").filter(
        invited_by=user.pk, accepted_at=None, revoked_at=None, expires_at__gt=now
    )
    ended = [one for one in given.order_by("token") if links.spend_link(one.token, now=now)]
    Invitation.objects.filter(pk__in=[one.pk for one in ended]).update(revoked_at=now)
    revoked = [
        replace(
            action_event(EventType.INVITATION_REVOKE, "", actor, invitation=one.id, role=one.role or "none"),
            subject=addresses.Address(one.email, one.email_key).account,
        )
        for one in ended
    ]
    return revoked + recovery.cancel_because_fallen(user, actor, now)


def has_other_admins(user: User) -> bool:
    """Whether another enabled admin is left. All admins are locked: two who disable each other cannot both win."""
    return any(pk != user.pk for pk in _lock_admins())


def _lock_admins() -> list[str]:
    """The enabled admins, whose rows are locked until the transaction ends: always first, and in one order."""
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, disabled_at=None).order_by("pk")
    return [admin.pk for admin in admins]


def enable(*, user: User, actor: Actor) -> None:
    """Open a disabled account again; its password and factors are as they were.

    Raises:
        Refused: it is not disabled.
    """
    with transaction.atomic():
        locked = pending.lock_account(user.pk)
        disabled = locked is not None and locked.disabled_at is not None and not locked.is_gone
        if disabled:
            pending.bump_credentials(user.pk, disabled_at=None)
            append(action_event(EventType.ACCOUNT_ENABLE, user.pk, actor))
        else:
            append(refusal_event(EventType.ACCOUNT_ENABLE, user.pk, actor, Reason.NOT_ALLOWED))
    if not disabled:
        raise Refused("the account is not disabled")


def unlock(*, user: User, actor: Actor) -> None:
    """Lift every lock of an account, of both steps, on its known devices too; its owner is told.

    Raises:
        Refused: it was deleted meanwhile.
    """
    with transaction.atomic():
        user = lock_target(user)
        account = addresses.account_id(user.email_key)
        lockout.unlock(account, user.pk, devices=devices.ids_of(user))
        outbox.queue_mail("unlocked", to=user.email)
        append(action_event(EventType.ACCOUNT_UNLOCK, user.pk, actor))


def revoke_sessions(*, user: User, actor: Actor) -> int:
    """End all sessions of an account and every login under way; how many sessions."""
    with transaction.atomic():
        pending.lock_account(user.pk)
        pending.bump_credentials(user.pk)
        reason = Reason.BY_ADMIN if actor.user_id else Reason.BY_COMMAND
        ended = sessions.end_sessions(user.pk, reason=reason, now=timezone.now())
        told = action_event(EventType.SESSION_REVOKE, user.pk, actor, reason)
        append(*(replace(told, session=one) for one in ended or [""]))
    return len(ended)


def require_password_change(*, user: User, actor: Actor) -> None:
    """Have an account change its password before it does anything else; its owner is told.

    Logins under way die, so that no change that began before counts for it.

    Raises:
        Refused: it must do so already.
    """
    flag = {"must_change_password": forced_changes.BY_OPERATOR, "must_change_since": timezone.now()}
    with transaction.atomic():
        user = lock_target(user)
        flagged = bool(user.must_change_password)
        if flagged:
            append(refusal_event(EventType.PASSWORD_REQUIRE_CHANGE, user.pk, actor, Reason.NOT_ALLOWED))
        else:
            pending.bump_credentials(user.pk, **flag)
            forced_changes.tell_owner(user, breached=False)
            append(action_event(EventType.PASSWORD_REQUIRE_CHANGE, user.pk, actor))
    if flagged:
        raise Refused("the password must be changed already")


def set_role(*, user: User, role: Role, actor: Actor) -> None:
    """Give an account another role, or none. It holds from the next request on; sessions stay.

    Raises:
        Refused: it has this role already, or is the last enabled admin.
    """
    refusal = None
    with transaction.atomic():
        is_needed = not has_other_admins(user)
        now = User.objects.select_for_update().get(pk=user.pk)
        if now.role == role or now.is_gone:
            refusal = Refused("the account has this role already")
        elif now.role == Role.ADMIN and is_needed:
            refusal = Refused("the last admin keeps the role", Reason.LAST_ADMIN)
        if refusal:
            append(refusal_event(EventType.ACCOUNT_ROLE, user.pk, actor, refusal.reason))
        else:
            User.objects.filter(pk=user.pk).update(role=role)
            names = {"role": role or "none", "previous_role": now.role or "none"}
            taken_back = _take_back(user, actor, timezone.now())
            append(replace(action_event(EventType.ACCOUNT_ROLE, user.pk, actor), details=names), *taken_back)
    if refusal:
        raise refusal


ACTIONS: dict[str, Callable[..., object]] = {
    "unlock": unlock,
    "revoke-sessions": revoke_sessions,
    "reset-mfa": recovery.reset_mfa,
    "cancel-reset-mfa": recovery.cancel_reset_mfa,
    "disable": disable,
    "enable": enable,
    "require-password-change": require_password_change,
}


KINDS = {
    "unlock": EventType.ACCOUNT_UNLOCK,
    "revoke-sessions": EventType.SESSION_REVOKE,
    "cancel-reset-mfa": EventType.MFA_RESET_CANCEL,
    "disable": EventType.ACCOUNT_DISABLE,
    "enable": EventType.ACCOUNT_ENABLE,
    "require-password-change": EventType.PASSWORD_REQUIRE_CHANGE,
}


def act(action: str, *, user_id: str, actor: Actor) -> datetime | None:
    """What an admin does over HTTP. Admins reset no admin's factor: that would let one of them become another.

    Returns when it will take effect, where it waits; None when it has.

    Raises:
        Problem: not_found, permission_denied, validation_failed where the state forbids it; invalid_token,
            permission_denied where the admin was shut out meanwhile.
    """
    if action not in ACTIONS:
        raise Problem(Code.NOT_FOUND)
    done, why = None, None
    with transaction.atomic():  # nothing is raised in here: the event of a refusal stays
        problem = judge_again(actor)
        user = None if problem else User.present().filter(pk=user_id).first()
        problem = problem or (_keep_factor(action, user, actor) if user else _no_account(action, actor))
        if problem is None:
            try:
                done = ACTIONS[action](user=user, actor=actor)
            except Refused as error:
                why = error
                problem = Problem(Code.VALIDATION_FAILED, detail=f"{str(error)[:1].upper()}{str(error)[1:]}.")
    if problem:
        raise problem from why
    return done if isinstance(done, datetime) else None


def _no_account(action: str, actor: Actor) -> Problem:
    """The id that was tried may be anything, and is not told."""
    kind = KINDS.get(action) or recovery.kind_of_request()
    append(refusal_event(kind, "", actor, Reason.NOT_FOUND))
    return Problem(Code.NOT_FOUND)


def judge_again(actor: Actor) -> Problem | None:
    """Why somebody acts no more who was an admin when the request came, under the lock of all admins; None for who is
    one still, and for a command.
    """
    if not actor.user_id:
        return None
    _lock_admins()
    return access.judge_again(actor.session_id, actor.user_id, role=Role.ADMIN, source=actor.source)


def _keep_factor(action: str, user: User, actor: Actor) -> Problem | None:
    if action != "reset-mfa" or user.role != Role.ADMIN:
        return None
    whose = Reason.OWN_ACCOUNT if user.pk == actor.user_id else Reason.OTHER_ADMIN
    append(refusal_event(recovery.kind_of_request(), user.pk, actor, whose))
    return Problem(
        Code.PERMISSION_DENIED, detail="Admins reset no admin's second factor: see the command reset_mfa."
    )
