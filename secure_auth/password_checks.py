"""Comparing a password under a reservation: what login, reauthentication and password change share."""

import hashlib
import secrets
from dataclasses import dataclass, replace

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from secure_auth import (
    addresses,
    decoys,
    devices,
    passwords,
    pending,
    refusals,
    rows,
    spent_devices,
)
from secure_auth.errors import Code, Problem
from secure_auth.models import Session, User
from throttling import lockout
from throttling.reservations import LimitExceeded, Reservation
from throttling.waiting import run_or_follow

_SAME_ATTEMPT = secrets.token_bytes(
    32
)  # passwords under way are told apart by a digest that dies with the process
FIND_ACCOUNT = "SELECT {columns} FROM secure_auth_user WHERE email_key = %s"


@dataclass(frozen=True)
class Checked:
    """A password that was compared: under which reservation, with the account as it was before, and what came of it."""

    reservation: Reservation
    user: User | None
    proof: passwords.Proof

    def opens(self) -> bool:
        """Whether the password was that of an account which is open: a disabled one's counts as a wrong one."""
        return self.proof.matches and self.user is not None and self.user.disabled_at is None


def check_password(
    attempt: lockout.PasswordAttempt, *, email_key: str, password: str, known: User | None = None
) -> Checked:
    """Reserve an attempt at login and compare the password, outside any transaction.

    Equal attempts at one moment share one reservation and one hash where the password is right: a person's own
    requests never stand in each other's way. Whoever sends a wrong one, or that of a disabled account, learns nothing
    from its double, and each is counted by itself.

    Raises:
        LimitExceeded, StoreUnavailable; Problem: service_unavailable.
    """

    def check() -> Checked:
        reservation = lockout.reserve_password_attempt(attempt)
        return Checked(
            reservation, *_compare(reservation, email_key=email_key, password=password, known=known)
        )

    same = repr((attempt.account, attempt.lane, password)).encode()
    key = hashlib.blake2b(same, key=_SAME_ATTEMPT, digest_size=32).digest()
    checked, is_own = run_or_follow(key, check, is_for_all=Checked.opens)
    if is_own:
        return checked
    # The account as the other one read it: what changed since then shows under the account's lock.
    return Checked(lockout.reserve_proved_attempt(attempt), checked.user, passwords.Proof(matches=True))


def _compare(
    reservation: Reservation, *, email_key: str, password: str, known: User | None = None
) -> tuple[User | None, passwords.Proof]:
    """Read the account and compare the password; gives the reservation back if it cannot.

    `known` is the account where it was read already: a change of it since then shows under its lock.
    """
    try:
        find = FIND_ACCOUNT.format(columns=rows.columns(User))
        user = known or rows.fetch_row(User, find, [email_key])
        decoy = decoys.find_decoy(email_key)  # for every address: all cost the same
        stored, is_open = (user.password, user.disabled_at is None) if user else (None, False)
        return user, passwords.check_password(password, stored, decoy=decoy, upgrades=is_open)
    except BaseException:
        lockout.release(reservation)
        raise


def upgrade_hash(user: User, proof: passwords.Proof) -> None:
    """Replace an older or weaker hash, under the account's lock."""
    if proof.upgraded:
        User.objects.filter(pk=user.pk).update(password=proof.upgraded)


def prove_current_password(
    *, user: User, session: Session, password: str, source: Source, kind: EventType
) -> User:
    """Compare the password of somebody who is signed in; a wrong one counts like one at login.

    `kind` of event is what it was asked for. Returns the account as it was read before the hash was computed.

    Raises:
        Problem: invalid_credentials, temporarily_locked or service_unavailable.
    """
    account = addresses.account_id(user.email_key)
    device_id = devices.lane_of(session, now=timezone.now())
    attempt = lockout.PasswordAttempt(account, source.ip, device_id, session.id)
    with refusals.limits_refused(source=source, user=user.pk, session=session.id):
        try:
            reservation = lockout.reserve_password_attempt(attempt)
        except LimitExceeded as refusal:
            if not spent_devices.forget_refused(refusal, source=source, user=user):
                raise
            reservation = lockout.reserve_password_attempt(replace(attempt, device=None))
    # of this account, whoever has its address by now
    checked, proof = _compare(reservation, email_key=user.email_key, password=password, known=user)
    with transaction.atomic():
        # before the buckets, as a login does: an account that is deleted meanwhile is told of no lock
        pending.lock_account(user.pk)
        settlement = lockout.settle_password_attempt(reservation, failed=not proof.matches)
        guilty = "" if proof.matches else session.id
        events = refusals.begin_locks(settlement, source=source, user=user.pk, session=guilty)
        if not proof.matches:
            event = NewEvent(
                type=kind,
                outcome=Outcome.FAILURE,
                reason=Reason.WRONG_PASSWORD,
                source=source,
                user=user.pk,
                session=session.id,
                details={"method": "password"} if kind == EventType.SESSION_REAUTHENTICATE else {},
            )
            events.insert(0, event)
        append(*events)
    if not proof.matches or checked is None:
        spent_devices.forget_exhausted(settlement, source=source, user=user)
        raise Problem(Code.INVALID_CREDENTIALS)
    return checked


def lock_unchanged(checked: User, session: Session) -> User | None:
    """The account, locked, if it is as it was when its password was compared, and its session still open."""
    locked = pending.lock_account(checked.pk)
    live = Session.objects.filter(pk=session.pk, revoked_at=None).exists()
    same = locked is not None and locked.credential_version == checked.credential_version
    return locked if live and same else None
