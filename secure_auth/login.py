"""The two steps of a login and reauthentication, as use cases.

Each reserves the attempt before it looks at a secret, computes outside any transaction, then decides, settles and
records in one transaction under the account's lock, and raises after it. A login that races a change of
the credentials loses.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    addresses,
    breaches,
    devices,
    factors,
    forced_changes,
    password_checks,
    passwords,
    pending,
    refusals,
    second_factor,
    second_step,
    spent_devices,
    tokens,
)
from secure_auth.errors import Code, Problem, invalid_token
from secure_auth.models import PendingLogin, Session, User
from secure_auth.pending import LoginCompleted, PasswordProved
from secure_auth.relying_party import Response
from secure_auth.second_factor import SecondFactor, Verdict
from throttling import lockout
from throttling.reservations import LimitExceeded, Reservation


def prove_password(*, email: str, password: str, device_token: str, source: Source) -> PasswordProved:
    """The first step.

    Raises:
        Problem: invalid_credentials, rate_limited, temporarily_locked or service_unavailable.
    """
    now = timezone.now()
    address = addresses.recognise(email)
    device = devices.identify_device(device_token, email_key=address.key, now=now) if device_token else None
    device_id = device.id if device else ""
    attempt = lockout.PasswordAttempt(account=address.account, ip=source.ip, device=device_id or None)
    known = device.user if device else None
    with refusals.limits_refused(source=source, address=address):
        try:
            checked = password_checks.check_password(
                attempt, email_key=address.key, password=password, known=known
            )
        except LimitExceeded as error:
            if not spent_devices.forget_refused(error, source=source, user=known):
                raise
            attempt, device_id = replace(attempt, device=None), ""
            checked = password_checks.check_password(attempt, email_key=address.key, password=password)
    user, proof = checked.user, checked.proof
    # for every outcome, as the hash: time must not tell the right password of a disabled account from a wrong one
    breached = breaches.is_breached_here(passwords.normalize(password))
    with transaction.atomic():
        locked = pending.lock_account(user.pk if user else "")  # for every outcome: all cost the same
        refusal = _refusal(user, locked, proof)
        guessed = refusal not in ("", Reason.CREDENTIAL_CHANGED)  # who lost a race showed the right password
        settlement = lockout.settle_password_attempt(
            checked.reservation, failed=guessed, has_account=user is not None
        )
        who = {"user": user.pk} if user else {"subject": address.account}
        events = refusals.begin_locks(settlement, source=source, **who)
        answer = opening = None
        if locked and not refusal:
            password_checks.upgrade_hash(locked, proof)
            answer, opening = pending.open_pending(locked, device_id=device_id, ip=source.ip, now=now)
            events += forced_changes.flag_breached(locked, source=source, now=now) if breached else []
        append(_password_event(refusal, source, answer, **who), *events, change=opening)
    if answer is None:
        spent_devices.forget_exhausted(settlement, source=source, user=user)
        raise Problem(Code.INVALID_CREDENTIALS)
    return answer


def _refusal(user: User | None, locked: User | None, proof: passwords.Proof) -> str:
    """Why a password step fails; empty when it does not."""
    if user is None:
        return Reason.UNKNOWN_ACCOUNT
    if not proof.matches:
        return Reason.WRONG_PASSWORD
    if locked is None or locked.disabled_at is not None:
        return Reason.DISABLED
    if locked.credential_version != user.credential_version:
        return Reason.CREDENTIAL_CHANGED
    return ""


def _password_event(
    refusal: str, source: Source, answer: PasswordProved | None, *, user: str = "", subject: str = ""
) -> NewEvent:
    return NewEvent(
        type=EventType.LOGIN_PASSWORD,
        outcome=Outcome.FAILURE if refusal else Outcome.SUCCESS,
        reason=refusal,
        source=source,
        user=user,
        subject=subject,
        details={"login": answer.login_id, "next": answer.next} if answer else {},
    )


def open_second_step(partial_token: str, *, source: Source) -> PendingLogin:
    """The pending login whose second factor a partial token lets prove.

    Raises:
        Problem: invalid_token.
    """
    found = pending.find_pending(partial_token, source=source)
    if found.next != PendingLogin.Next.VERIFY:
        reason = Reason.NO_METHOD
        raise pending.refused_partial(reason, source=source, user=found.user_id, login=found.id)
    return found


def prove_second_factor(
    *, found: PendingLogin, factor: SecondFactor, remember_device: bool, source: Source
) -> LoginCompleted:
    """The second step of a login that open_second_step() found: opens the session.

    Raises:
        Problem: invalid_token, invalid_code, rate_limited, temporarily_locked or service_unavailable.
    """
    reservation = second_step.reserve_second_step(found, totp=factor.method == "totp", source=source)
    now = timezone.now()
    response = second_factor.judge(factor, second_factor.of_login(found), now=now)
    try:
        with transaction.atomic():
            completed = _complete(found, factor, response, remember_device, reservation, source, now)
    except _Ended:
        with transaction.atomic():
            lockout.release(reservation)
            append(_factor_event(found, factor, source, Verdict(reason=Reason.LOGIN_ENDED)))
        raise invalid_token() from None
    if completed is None:
        raise Problem(Code.INVALID_CODE)
    return completed


class _Ended(Exception):
    """Another request ended the login meanwhile: no code was judged, and none may be used up by it."""


def _complete(
    found: PendingLogin,
    factor: SecondFactor,
    response: Response,
    remember_device: bool,
    reservation: Reservation,
    source: Source,
    now: datetime,
) -> LoginCompleted | None:
    """Judge the factor and open the session, within a transaction; None for a wrong one.

    Raises:
        _Ended: the transaction has to be undone. What lock_pending() read may be older than the wait for its lock:
            for a right code close_pending() decides, for a wrong one has_ended().
    """
    locked = pending.lock_pending(found, source=source)
    if locked is None or not pending.is_live(locked, locked.user, now):
        raise _Ended
    verdict = second_factor.accept(found.user, factor, response, now=now)
    is_totp = factor.method == "totp"
    if not verdict.amr:
        if pending.has_ended(locked):  # a double of the request that completed it is no wrong code
            raise _Ended
        locks = second_step.settle_wrong_code(reservation, found, source=source, now=now)
        append(_factor_event(found, factor, source, verdict), *locks)
        return None
    if not pending.close_pending(locked, now=now):
        raise _Ended
    completed, events, opening = pending.complete_login(
        locked, verdict.amr, remember=remember_device, source=source, now=now
    )
    events += second_step.settle_completed_login(reservation, locked, totp=is_totp, source=source)
    spent = factors.note_spent(locked.user, factor.method, source=source)
    append(_factor_event(found, factor, source, verdict), *spent.events, *events, change=opening)
    return replace(completed, recovery_codes_left=spent.left)


def _factor_event(found: PendingLogin, factor: SecondFactor, source: Source, verdict: Verdict) -> NewEvent:
    return factors.event(
        EventType.LOGIN_SECOND_FACTOR,
        found.user_id,
        factor.method,
        source=source,
        reason="" if verdict.amr else verdict.reason,
        login=found.id,
        authenticator=verdict.authenticator,
    )


def reauthenticate(
    *, user: User, session: Session, factor: SecondFactor, password: str, source: Source
) -> tuple[str, int]:
    """Prove a second factor again: moves auth_time and says which factor in amr; a new access token and its lifetime.

    Raises:
        Problem: invalid_code, invalid_credentials, temporarily_locked, invalid_token or service_unavailable.
    """
    if password:
        kind = EventType.SESSION_REAUTHENTICATE
        password_checks.prove_current_password(
            user=user, session=session, password=password, source=source, kind=kind
        )
    reservation = _reserve_reauthentication(user, session, factor, source)
    now = timezone.now()
    response = second_factor.judge(factor, second_factor.of_session(session), now=now)
    with transaction.atomic():
        locked = pending.lock_account(user.pk)
        fresh = Session.objects.filter(pk=session.pk, revoked_at=None).first()
        live = locked is not None and locked.disabled_at is None and fresh is not None
        user = locked or user  # the owner is told where the account is by now
        verdict = second_factor.accept(user, factor, response, now=now) if live else Verdict()
        if not live:
            lockout.release(reservation)  # the session ended meanwhile: no code was judged
            ended = Verdict(reason=Reason.SESSION_ENDED)
            append(_reauthentication(user, session, factor, source, ended))
        elif fresh and verdict.amr:
            recovered = user.pk if factor.method != "totp" else ""
            settlement = lockout.settle_second_factor(
                reservation, failed=False, recovered=recovered, device=fresh.device_id
            )
            locks = refusals.begin_locks(settlement, source=source, user=user.pk)
            _freshen(fresh, verdict.amr, now)
            spent = factors.note_spent(user, factor.method, source=source, session=session.id)
            append(_reauthentication(user, session, factor, source, verdict), *spent.events, *locks)
        else:
            locks = second_step.count_wrong_code(reservation, user=user, source=source, session=session.id)
            append(_reauthentication(user, session, factor, source, verdict), *locks)
    if fresh is None or locked is None or not live:
        raise invalid_token()
    if not verdict.amr:
        raise Problem(Code.INVALID_CODE)
    return tokens.issue_access(fresh, locked, now=now)


def _reserve_reauthentication(
    user: User, session: Session, factor: SecondFactor, source: Source
) -> Reservation:
    return second_step.reserve_code(
        login=second_factor.lane_of(session.id) if factor.method == "webauthn" else None,
        user=user,
        device=devices.lane_of(session, now=timezone.now()),
        totp=factor.method == "totp",
        source=source,
        session=session.id,
    )


def _freshen(session: Session, proved: tuple[str, ...], now: datetime) -> None:
    """A second factor was proved now; a password that was part of the session stays in amr."""
    password = ["pwd"] if "pwd" in session.amr.split() else []
    session.auth_time, session.amr = now, " ".join([*password, *proved, "mfa"])
    session.save(update_fields=["auth_time", "amr"])


def _reauthentication(
    user: User, session: Session, factor: SecondFactor, source: Source, verdict: Verdict
) -> NewEvent:
    return factors.event(
        EventType.SESSION_REAUTHENTICATE,
        user.pk,
        factor.method,
        source=source,
        session=session.id,
        reason="" if verdict.amr else verdict.reason,
        authenticator=verdict.authenticator,
    )
