"""Between the two steps: a pending login is opened by a proved password and closed by a proved second factor.

It is bound to the account's credential_version: whatever replaces a secret, removes a factor, disables the account or
ends its sessions also kills every login that was under way.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from audit.append import Change, NewEvent
from audit.events import EventType, Outcome, Reason, Severity, Source
from secure_auth import (
    agents,
    devices,
    digest_ring,
    factors,
    familiar,
    keys,
    letters,
    links,
    outbox,
    refusals,
    rows,
    sessions,
    tokens,
)
from secure_auth.errors import invalid_token
from secure_auth.models import Key, MailToken, PendingLogin, User
from secure_auth.tokens import InvalidToken, PartialToken, TokenPair

HELD = {"has_totp": "totp", "has_passkey": "webauthn", "has_codes": "recovery_code"}
LOCK_ACCOUNT = """
SELECT {columns},
       EXISTS (SELECT 1 FROM mfa_totpauthenticator
                WHERE user_id = account.id AND confirmed_at IS NOT NULL) AS has_totp,
       EXISTS (SELECT 1 FROM mfa_passkey WHERE user_id = account.id) AS has_passkey,
       EXISTS (SELECT 1 FROM mfa_recoverycode WHERE user_id = account.id AND used_at IS NULL) AS has_codes
  FROM secure_auth_user AS account WHERE account.id = %s
"""
FIND = """
SELECT {login}, {user}{more} FROM secure_auth_pendinglogin AS login
  JOIN secure_auth_user AS account ON account.id = login.user_id WHERE login.id = %s
"""
CLOSE = (
    "UPDATE secure_auth_pendinglogin SET ended_at = %s WHERE id = %s AND ended_at IS NULL AND expires_at > %s"
)


@dataclass(frozen=True)
class PasswordProved:
    """The answer to a proved password. `expires_in` in seconds."""

    partial_token: str
    expires_in: int
    next: str
    methods: tuple[str, ...]
    login_id: str

    def __repr__(self) -> str:
        return f"<PasswordProved next={self.next}>"


@dataclass(frozen=True)
class LoginCompleted:
    """The answer to a completed login; `recovery_codes` only at the first enrolment, how many are left after one."""

    pair: TokenPair
    device_token: str = ""
    recovery_codes: tuple[str, ...] = ()
    recovery_codes_left: int | None = None

    def __repr__(self) -> str:
        return f"<LoginCompleted {self.pair.session_id}>"


def lock_account(user_id: str) -> User | None:
    """The account's row, locked until the transaction ends, and which second factors it has; one statement.

    Who waited for the lock reads the row as it is, the factors as they were before: credential_version tells.
    """
    return rows.fetch_row(User, _lock_account(), [user_id], extra=tuple(HELD))


@cache
def _lock_account() -> str:
    lock = "FOR UPDATE OF account" if connection.features.has_select_for_update else ""
    return f"{LOCK_ACCOUNT.format(columns=rows.columns(User, 'account'))} {lock}"


def has_second_factor(user: User) -> bool:
    """Whether the account, read by lock_account(), has a factor that counts (recovery codes do not)."""
    return bool(user.has_totp or user.has_passkey)  # type: ignore[attr-defined]


def open_pending(user: User, *, device_id: str, ip: str, now: datetime) -> tuple[PasswordProved, Change]:
    """Open the second step for an account read by lock_account(); mails the enrolment token where one is needed.

    Its row is for the caller to insert, with the event that says so.
    """
    verify = has_second_factor(user)
    needs_token = not verify and enrolment_needs_token(user, now)
    pending = PendingLogin(
        user=user,
        next=PendingLogin.Next.VERIFY if verify else PendingLogin.Next.ENROLL,
        credential_version=user.credential_version,
        device_id=device_id,
        ip=ip,
        needs_mailed_token=needs_token,
        expires_at=now + timedelta(seconds=settings.PARTIAL_TOKEN_SECONDS),
    )
    if needs_token and links.may_mail_again(user, MailToken.Purpose.ENROL, now=now):
        outbox.queue_mail("enrol", to=user.email, token=links.create_link(MailToken.Purpose.ENROL, user=user))
    answer = PasswordProved(
        tokens.issue_partial(pending),
        settings.PARTIAL_TOKEN_SECONDS,
        pending.next,
        tuple(method for held, method in HELD.items() if verify and getattr(user, held)),
        pending.id,
    )
    return answer, rows.insertion(pending)


def enrolment_needs_token(user: User, now: datetime) -> bool:
    """Whether a password alone is too little to bind the first factor: it was lost before, or the mailbox is old."""
    window = timedelta(seconds=settings.ENROLMENT_WINDOW_SECONDS)
    return user.had_second_factor or now - user.mailbox_proved_at > window


def find_pending(partial_token: str, *, source: Source) -> PendingLogin:
    """The live pending login of a partial token, with its account; one statement.

    Raises:
        Problem: invalid_token. A genuine token of a login that is over is recorded; a forged one is not.
    """
    try:
        claims = PartialToken.read(partial_token)
    except InvalidToken as error:
        raise invalid_token() from error
    statement = f"{_find()} AND login.user_id = %s AND {keys.LIVE}"
    pending = _fetch(statement, [claims["jti"], claims["sub"], claims["kid"]])
    if pending is None and not keys.is_live(claims["kid"]):
        keys.distrust_ring(Key.Purpose.SIGNING)  # else this process goes on signing what is dead
    if pending is None and not is_account(claims["sub"]):
        raise invalid_token()
    if pending is None or not is_live(pending, pending.user, timezone.now()):
        raise refused_partial(source=source, user=claims["sub"], login=claims["jti"])
    return pending


def is_live(pending: PendingLogin, user: User, now: datetime) -> bool:
    """Neither over nor too old, and begun under the account's present credentials."""
    return (
        pending.ended_at is None
        and pending.expires_at > now
        and pending.credential_version == user.credential_version
        and user.disabled_at is None
    )


def is_account(user_id: str) -> bool:
    """Whether there is an account, deleted ones aside: the log must not go on collecting where their devices are."""
    return User.objects.filter(pk=user_id).exists()


def refused_partial(
    reason: Reason = Reason.LOGIN_ENDED, *, source: Source, user: str, login: str
) -> Exception:
    """Record that a genuine partial token opened nothing, once a window, and give the problem to raise."""
    event = NewEvent(
        type=EventType.LOGIN_SECOND_FACTOR,
        outcome=Outcome.FAILURE,
        reason=reason,
        source=source,
        user=user,
        details={"login": login},
    )
    refusals.record_collapsed(event, key=user)
    return invalid_token()


def lock_pending(pending: PendingLogin, *, source: Source) -> PendingLogin | None:
    """Read a pending login again with its account, whose row is locked until the transaction ends; one statement.

    It also says when the account was last signed in to from this source.

    Only the account's row is locked: everything that ends pending logins holds that lock, or is a conditional UPDATE
    like close_pending(), which decides in the end.
    """
    lock = "FOR UPDATE OF account" if connection.features.has_select_for_update else ""
    seen, digests = familiar.last_seen(pending.user_id, source)
    return _fetch(f"{_find(f', ({seen})')} {lock}", [*digests, pending.pk], moment="familiar_at")


def _fetch(statement: str, values: list[str], *, moment: str = "") -> PendingLogin | None:
    found = rows.fetch_pair(PendingLogin, User, statement, values, moment=moment)
    if found is None:
        return None
    login, user = found
    login.user = user
    return login


@cache
def _find(more: str = "") -> str:
    return FIND.format(
        login=rows.columns(PendingLogin, "login"), user=rows.columns(User, "account"), more=more
    )


def complete_login(
    login: PendingLogin, proved: tuple[str, ...], *, remember: bool, source: Source, now: datetime
) -> tuple[LoginCompleted, list[NewEvent], Change]:
    """Open the session of a login whose second step was proved, by the amr values `proved`.

    Its row, and the events that say so, are for the caller to insert together.
    """
    user, device_id, device_token = login.user, login.device_id, ""
    events: list[NewEvent] = []
    if remember:
        known = devices.remember_device(user, known_id=device_id, user_agent=source.user_agent, now=now)
        device_id, device_token = known.id, known.token
        events = _remembered(known, user, source)
    amr, digest_key = ["pwd", *proved, "mfa"], digest_ring.active_key()
    session = sessions.open_session(
        user,
        amr=amr,
        ip=source.ip,
        user_agent=source.user_agent,
        device_id=device_id,
        digest_key=digest_key,
        now=now,
    )
    new_device = familiar.is_new(login, now=now)
    familiar.note_source(login, source, now=now)
    if new_device:
        _tell_owner(user, source, now)
    opened = factors.plain_event(
        EventType.SESSION_OPEN,
        user.pk,
        source=source,
        session=session.id,
        amr=amr,
        login=login.id,
        new_device=new_device or None,
    )
    if new_device:
        opened = replace(opened, severity=Severity.LOW)  # so that charts can count them
    pair = tokens.issue_pair(session, user, digest_key=digest_key, now=now)
    return LoginCompleted(pair, device_token), [*events, opened], rows.insertion(session)


def _remembered(known: devices.Remembered, user: User, source: Source) -> list[NewEvent]:
    remember, forget = EventType.DEVICE_REMEMBER, EventType.DEVICE_FORGET
    events = [factors.plain_event(remember, user.pk, source=source, device=known.id)]
    if known.forgotten:
        cause = Reason.SUPERSEDED
        events.append(
            factors.plain_event(forget, user.pk, source=source, reason=cause, device=known.forgotten)
        )
    return events


def _tell_owner(user: User, source: Source, now: datetime) -> None:
    device = agents.describe_agent(source.user_agent).words
    time = letters.moment(now)
    outbox.queue_mail("new_device", to=user.email, device=device, address=source.ip, time=time)


def close_pending(pending: PendingLogin, *, now: datetime) -> bool:
    """Use up a pending login: one conditional UPDATE; False when it is over."""
    return bool(rows.change_rows(CLOSE, [now, pending.pk, now]))


def has_ended(pending: PendingLogin) -> bool:
    """Whether a pending login is over by now, under the account's lock: who waited for that may have read it before."""
    return not PendingLogin.objects.filter(pk=pending.pk, ended_at=None).exists()


def bump_credentials(user_id: str, **changes: object) -> None:
    """Change an account's credentials: every login that began before loses."""
    User.objects.filter(pk=user_id).update(credential_version=F("credential_version") + 1, **changes)
