"""Invitations: the right to make an account of one address, given by an admin or by command.

The link is mailed and shown to nobody else, so whoever brings it has proved the mailbox. It is good once, for
INVITATION_HOURS, until it is revoked, and only as long as the admin who gave it is one: who loses the role leaves no
doors behind, nor finds them open when it comes back. Of its acceptance and its revocation, whichever spends the mailed
token first takes place.
"""

from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    accounts,
    addresses,
    administration,
    links,
    outbox,
    passwords,
    pending,
    refusals,
    registration,
)
from secure_auth.acting import Actor, Refused
from secure_auth.errors import Code, Problem
from secure_auth.factors import plain_event
from secure_auth.models import Invitation, MailToken, Role, User
from secure_auth.pending import PasswordProved
from throttling import lockout
from throttling.reservations import LimitExceeded


def invite(*, email: str, role: str, actor: Actor) -> Invitation:
    """Mail somebody the right to make an account with a role.

    An address that has an account, or that got too many mails, is answered alike and gets none.

    Raises:
        Refused: registration is closed; Problem: validation_failed, service_unavailable; invalid_token,
            permission_denied where the admin was shut out meanwhile.
    """
    address = accounts.demand_address(email)
    if settings.REGISTRATION == "closed":
        refused = _event(EventType.INVITATION_CREATE, address, actor, Reason.REGISTRATION_CLOSED, failed=True)
        refusals.record(refused)
        raise Refused("registration is closed: nobody can be invited", Reason.REGISTRATION_CLOSED)
    may_mail = False
    with refusals.limits_refused(source=actor.source), suppress(LimitExceeded):
        lockout.reserve_mail_address(address.account)
        may_mail = True
    with transaction.atomic():
        problem = administration.judge_again(actor)
        made = None if problem else _create(address, role, actor, may_mail=may_mail)
    if made is None:
        raise problem or Problem(Code.PERMISSION_DENIED)
    return made


def _create(address: addresses.Address, role: str, actor: Actor, *, may_mail: bool) -> Invitation:
    token = links.create_link(MailToken.Purpose.INVITE)
    invitation = Invitation.objects.create(
        email=address.email,
        email_key=address.key,
        role=Role(role),
        token=token,
        invited_by=actor.user_id,
        expires_at=token.expires_at,
    )
    known = User.objects.filter(email_key=address.key).exists()
    template = "invitation" if may_mail and not known else outbox.DECOY
    outbox.queue_mail(template, to=address.email, token=token)
    unsent = Reason.KNOWN_ADDRESS if known else Reason.RATE_LIMITED
    reason = Reason.NONE if template != outbox.DECOY else unsent
    append(_event(EventType.INVITATION_CREATE, address, actor, reason, invitation))
    return invitation


def _event(
    kind: EventType,
    address: addresses.Address | None,
    actor: Actor,
    reason: Reason,
    invitation: Invitation | None = None,
    *,
    failed: bool = False,
) -> NewEvent:
    told = {"invitation": invitation.id, "role": invitation.role or "none"} if invitation else {}
    return NewEvent(
        type=kind,
        outcome=Outcome.FAILURE if failed else Outcome.SUCCESS,
        reason=reason or (Reason.BY_ADMIN if actor.user_id else Reason.BY_COMMAND),
        source=actor.source,
        subject=address.account if address else "",
        session=actor.session_id,
        details={**told, **actor.details},
        text={"note": actor.reason} if actor.reason else {},
    )


def state_of(invitation: Invitation, now: datetime) -> str:
    """How an invitation stands: open, accepted, revoked or expired."""
    if invitation.accepted_at:
        return "accepted"
    if invitation.revoked_at:
        return "revoked"
    return "open" if invitation.expires_at > now else "expired"


def list_invitations() -> list[Invitation]:
    """All invitations that are remembered, oldest first."""
    return list(Invitation.objects.order_by("id"))


def revoke(*, invitation_id: str, actor: Actor) -> Invitation:
    """Take an invitation back.

    Raises:
        Refused: no open invitation has this id; recorded. Problem: invalid_token, permission_denied where the admin was
            shut out meanwhile.
    """
    with transaction.atomic():
        problem = administration.judge_again(actor)
        revoked = None if problem else _revoke(invitation_id, actor)
    if problem:
        raise problem
    if revoked is None:
        raise Refused("no open invitation has this id", Reason.NOT_FOUND)
    return revoked


def _revoke(invitation_id: str, actor: Actor) -> Invitation | None:
    now = timezone.now()
    found = Invitation.objects.select_related("token").filter(pk=invitation_id).first()
    address = addresses.Address(found.email, found.email_key) if found else None
    revoked = found if found and links.spend_link(found.token, now=now) else None
    if revoked:
        Invitation.objects.filter(pk=revoked.pk).update(revoked_at=now)
        append(_event(EventType.INVITATION_REVOKE, address, actor, Reason.NONE, revoked))
    else:
        append(_event(EventType.INVITATION_REVOKE, address, actor, Reason.NOT_FOUND, found, failed=True))
    return revoked


def accept(*, token: str, email: str, password: str, source: Source) -> PasswordProved:
    """Make the account of an invitation; the answer is that of a first login. `email` may be left empty.

    Raises:
        Problem: invalid_link, validation_failed, rate_limited, service_unavailable.
    """
    with refusals.limits_refused(source=source):
        lockout.reserve_request(source.ip)
    now = timezone.now()
    link = links.find_link(token, MailToken.Purpose.INVITE, now=now)
    invitation = Invitation.objects.filter(token=link).first() if link else None
    if link is None or invitation is None or not _stands(invitation) or not _is_for(invitation, email):
        raise accounts.refuse_link(EventType.ACCOUNT_CONFIRM, source=source)
    address = addresses.Address(invitation.email, invitation.email_key)
    weak = accounts.event(
        EventType.ACCOUNT_CONFIRM,
        source=source,
        reason=Reason.WEAK_PASSWORD,
        subject=address.account,
        failed=True,
    )
    accounts.demand_password(password, name="password", email=address.email, refused=weak)
    encoded = passwords.hash_password(password)
    answer = None
    with transaction.atomic():
        usable = _stands(invitation, locked=True) and links.spend_link(link, now=now)
        role = invitation.role
        user = registration.create_account(address, password=encoded, role=role, now=now) if usable else None
        if user:
            Invitation.objects.filter(pk=invitation.pk).update(accepted_at=now)
            locked = pending.lock_account(user.pk)
            answer, opening = pending.open_pending(locked or user, device_id="", ip=source.ip, now=now)
            told = {"invitation": invitation.id, "role": role or "none", "login": answer.login_id}
            append(plain_event(EventType.ACCOUNT_CONFIRM, user.pk, source=source, **told), change=opening)
        elif usable:  # the address has an account: the invitation stays what an admin sees, and can take back
            links.give_back(link)
    if answer is None:
        raise accounts.refuse_link(EventType.ACCOUNT_CONFIRM, source=source)
    registration.open_password(address)
    return answer


def _stands(invitation: Invitation, *, locked: bool = False) -> bool:
    """Whether the admin who invited is one still, and, locked, stays so until the transaction ends; a command's
    invitations stand by themselves.
    """
    users = User.objects.select_for_update() if locked else User.objects
    admins = users.filter(pk=invitation.invited_by, role=Role.ADMIN, disabled_at=None)
    return not invitation.invited_by or admins.first() is not None


def _is_for(invitation: Invitation, email: str) -> bool:
    return not email or addresses.identify(email).key == invitation.email_key
