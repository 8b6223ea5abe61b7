"""Binding authenticators (NIST SP 800-63B-4 section 4.1).

The first authenticator is bound through the partial token of a login whose account has none; the right to do so is
judged again under the account's lock, at the beginning and at the confirmation, so that of two people who know one
password only one binds, and the other's half-made authenticator dies. Later ones need a fresh login.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Reason, Source
from mfa import recovery_codes, totp
from mfa.models import TotpAuthenticator
from secure_auth import factors, grants, letters, links, outbox, pending, refusals, second_step
from secure_auth.errors import Code, Problem, invalid_token
from secure_auth.grants import Grant
from secure_auth.models import MailToken, PendingLogin
from secure_auth.pending import LoginCompleted
from throttling import lockout
from throttling.reservations import Reservation

STALE = timedelta(days=1)
MOST_UNCONFIRMED = 5
MOST_TOTP = 10


@dataclass(frozen=True)
class TotpBegun:
    """An unconfirmed authenticator. Its secret is shown this once."""

    id: str
    enrolment: totp.Enrolment


@dataclass(frozen=True)
class TotpConfirmed:
    """New recovery codes where the account had none, and the completed login after a partial token."""

    recovery_codes: list[str] = field(repr=False)
    completed: LoginCompleted | None = None


def begin_totp(*, grant: Grant, name: str, mailed_token: str, source: Source) -> TotpBegun:
    """Make an unconfirmed authenticator.

    Raises:
        Problem: invalid_token when the right to enrol is gone, invalid_link for a wrong or missing mailed token,
            too_many_authenticators.
    """
    grants.demand_open_second_step(grant, source)
    scheme, now = totp.Scheme(settings.TOTP_ALGORITHM, settings.TOTP_DIGITS), timezone.now()
    secret = totp.create_secret(scheme)
    refusal: Problem | None = None
    row = _unconfirmed(grant, letters.plain(name), scheme)
    with transaction.atomic():
        refusal = grants.judge_right(grant)
        if refusal is None and grant.login and not _prove_mailbox(grant.login, mailed_token):
            refusal = Problem(Code.INVALID_LINK)
            append(grants.failure(EventType.LOGIN_ENROLL_TOKEN, grant, Reason.MAILED_TOKEN_REQUIRED, source))
        elif refusal is not None:
            reason = grants.why(refusal, Reason.ENROLMENT_CLOSED)
            append(grants.failure(EventType.MFA_TOTP_BEGIN, grant, reason, source))
        elif has_no_room(grant):
            refusal = Problem(Code.TOO_MANY_AUTHENTICATORS)
            append(grants.failure(EventType.MFA_TOTP_BEGIN, grant, Reason.TOO_MANY_AUTHENTICATORS, source))
        else:
            _drop_abandoned(grant, now)
            factors.seal_totp(row, secret)
            row.save(force_insert=True)
            append(grants.success(EventType.MFA_TOTP_BEGIN, grant, row.id, source))
    if refusal:
        raise refusal
    names = {"account": grant.user.email, "issuer": settings.PRODUCT_NAME}
    return TotpBegun(row.id, totp.describe_enrolment(secret, scheme, **names))


def _unconfirmed(grant: Grant, name: str, scheme: totp.Scheme) -> TotpAuthenticator:
    return TotpAuthenticator(
        user=grant.user,
        name=name,
        pending_login=grant.login.id if grant.login else "",
        algorithm=scheme.algorithm,
        digits=scheme.digits,
    )


def has_no_room(grant: Grant) -> bool:
    """Whether the account, whose lock is held, has as many authenticators as it may: each is one more to guess."""
    return len(factors.confirmed_totp(grant.user.pk)) >= MOST_TOTP


def _drop_abandoned(grant: Grant, now: datetime) -> None:
    """Half-made authenticators of yesterday, and of today all but the newest few of this login or session."""
    unconfirmed = TotpAuthenticator.objects.filter(user=grant.user, confirmed_at=None)
    unconfirmed.filter(created_at__lt=now - STALE).delete()
    own = unconfirmed.filter(pending_login=grant.login.id if grant.login else "").order_by("-created_at")
    unconfirmed.filter(pk__in=[row.pk for row in own[MOST_UNCONFIRMED - 1 :]]).delete()


def _prove_mailbox(login_row: PendingLogin, mailed_token: str) -> bool:
    """Whether the mailed token that this login needs was shown; once is enough for one login."""
    if not login_row.needs_mailed_token:
        return True
    now = timezone.now()
    link = links.find_link(mailed_token, MailToken.Purpose.ENROL, now=now) if mailed_token else None
    if link is None or link.user_id != login_row.user_id or not links.spend_link(link, now=now):
        return False
    PendingLogin.objects.filter(pk=login_row.pk).update(needs_mailed_token=False)
    return True


def confirm_totp(*, grant: Grant, authenticator_id: str, code: str, source: Source) -> TotpConfirmed:
    """Bind the authenticator whose code this is; completes a first login.

    Raises:
        Problem: not_found, invalid_code (which tells how wrong the clock is), invalid_token, too_many_authenticators
            or temporarily_locked.
    """
    reservation = _reserve_confirmation(grant, authenticator_id, source)
    now = timezone.now()
    refusal: Problem | None = None
    result = None
    with transaction.atomic():
        refusal = grants.judge_right(grant)
        row = _own_unconfirmed(grant, authenticator_id) if refusal is None else None
        if row is None:
            locks = _settle_unfailed(grant, reservation, source)
            refusal = refusal or Problem(Code.NOT_FOUND)
            reason = grants.why(refusal, Reason.ENROLMENT_CLOSED)
            append(grants.failure(EventType.MFA_TOTP_CONFIRM, grant, reason, source), *locks)
        elif has_no_room(grant):
            locks = _settle_unfailed(grant, reservation, source)
            refusal, reason = Problem(Code.TOO_MANY_AUTHENTICATORS), Reason.TOO_MANY_AUTHENTICATORS
            append(grants.failure(EventType.MFA_TOTP_CONFIRM, grant, reason, source), *locks)
        elif (
            totp.accept_code([row], code, unseal=factors.unseal_totp, now=now) is not totp.Judgement.ACCEPTED
        ):
            refusal = factors.wrong_first_code(row, code, now=now)
            locks = _settle_wrong_code(grant, reservation, source, now)
            append(grants.failure(EventType.MFA_TOTP_CONFIRM, grant, Reason.WRONG_CODE, source), *locks)
        else:
            locks = _settle_right_code(grant, reservation, source)
            result = _bind(grant, row, source, now, locks)
    if result is None:
        raise refusal or invalid_token()
    return result


def _reserve_confirmation(grant: Grant, authenticator_id: str, source: Source) -> Reservation:
    """A try of the pending login; of somebody signed in, one of this authenticator's own."""
    if grant.login:
        return second_step.reserve_second_step(grant.login, totp=False, source=source)
    if _own_unconfirmed(grant, authenticator_id) is None:
        refusals.record(grants.failure(EventType.MFA_TOTP_CONFIRM, grant, Reason.NOT_FOUND, source))
        raise Problem(Code.NOT_FOUND)
    return second_step.reserve_code(
        login=f"enrol:{authenticator_id}",
        user=grant.user,
        device=grant.device_lane(),
        totp=True,  # a lock of the second step binds this door too, and wrong codes here count for it
        source=source,
        session=grant.session_id,
        ip=source.ip,
    )


def _settle_wrong_code(
    grant: Grant, reservation: Reservation, source: Source, now: datetime
) -> list[NewEvent]:
    if grant.login:
        return second_step.settle_wrong_code(reservation, grant.login, source=source, now=now)
    return second_step.count_wrong_code(reservation, user=grant.user, source=source, session=grant.session_id)


def _settle_right_code(grant: Grant, reservation: Reservation, source: Source) -> list[NewEvent]:
    if grant.login:
        return second_step.settle_completed_login(reservation, grant.login, totp=True, source=source)
    return _settle_unfailed(grant, reservation, source)


def _settle_unfailed(grant: Grant, reservation: Reservation, source: Source) -> list[NewEvent]:
    """Of a try that was right, or not judged: not given back, or the request would count for nothing.

    Returns the events of locks that attempts of processes that died began.
    """
    settlement = lockout.settle_second_factor(reservation, failed=False)
    return refusals.begin_locks(settlement, source=source, user=grant.user.pk)


def _own_unconfirmed(grant: Grant, authenticator_id: str) -> TotpAuthenticator | None:
    own = TotpAuthenticator.objects.filter(pk=authenticator_id, user=grant.user, confirmed_at=None)
    return own.filter(pending_login=grant.login.id if grant.login else "").first()


def _bind(
    grant: Grant, row: TotpAuthenticator, source: Source, now: datetime, locks: list[NewEvent]
) -> TotpConfirmed:
    """Make an authenticator count; every half-made one that a partial token began dies."""
    user_id = grant.user.pk
    TotpAuthenticator.objects.filter(pk=row.pk).update(confirmed_at=now)
    TotpAuthenticator.objects.filter(user_id=user_id, confirmed_at=None).exclude(pending_login="").delete()
    codes = []
    if not recovery_codes.count_left(user_id):
        codes = factors.replace_recovery_codes(user_id)
    pending.bump_credentials(user_id, had_second_factor=True)
    links.kill_links(user_id, MailToken.Purpose.ENROL, now=now)
    events = [grants.success(EventType.MFA_TOTP_CONFIRM, grant, row.id, source)]
    if codes:
        events.append(grants.success(EventType.MFA_RECOVERY_CODES_GENERATE, grant, row.id, source))
    completed = opening = None
    if grant.login:
        pending.close_pending(grant.login, now=now)
        completed, opened, opening = pending.complete_login(
            grant.login, factors.AMR["totp"], remember=False, source=source, now=now
        )
        events += opened
    outbox.queue_mail("authenticator_bound", to=grant.user.email, name=row.name or "Authenticator app")
    append(*events, *locks, change=opening)
    return TotpConfirmed(codes, completed)
