"""The account's second factors: the mechanisms of mfa with this service's keys handed to them, and their events."""

from datetime import datetime

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Severity, Source
from mfa import recovery_codes, totp
from mfa.models import TotpAuthenticator
from secure_auth import keys
from secure_auth.models import Key, User

AMR = {"totp": ("otp",), "recovery_code": ("recovery",)}  # what each method is in amr (RFC 8176 names otp)


def totp_context(authenticator: TotpAuthenticator) -> str:
    """What a sealed TOTP secret is bound to: its row and its owner."""
    return f"totp:{authenticator.pk}:{authenticator.user_id}"


def seal_totp(authenticator: TotpAuthenticator, secret: bytes) -> None:
    """Seal a secret into its row with the active encryption key."""
    key = keys.ring(Key.Purpose.ENCRYPTION).active
    authenticator.key_id = key.kid
    authenticator.sealed_secret = keys.seal(secret, key=key.secret, context=totp_context(authenticator))


def unseal_totp(authenticator: TotpAuthenticator) -> bytes:
    """The secret of a row."""
    key = keys.ring(Key.Purpose.ENCRYPTION).keys[authenticator.key_id]
    return keys.unseal(
        bytes(authenticator.sealed_secret), key=key.secret, context=totp_context(authenticator)
    )


def digest_recovery_code(user_id: str) -> recovery_codes.Digest:
    """The keyed digest that an account's recovery codes are known by."""
    return lambda code: keys.digest("recovery", user_id, code)


def confirmed_totp(user_id: str) -> list[TotpAuthenticator]:
    """The authenticator apps that count."""
    return list(
        TotpAuthenticator.objects.filter(user_id=user_id, confirmed_at__isnull=False).order_by("created_at")
    )


def accept(user: User, method: str, code: str, *, now: datetime) -> bool:
    """Whether a code is right and was not used before; it is used up by this."""
    if method == "totp":
        found = totp.accept_code(confirmed_totp(user.pk), code, unseal=unseal_totp, now=now)
        return found is not None
    return recovery_codes.spend_code(user.pk, code, digest=digest_recovery_code(user.pk), now=now)


def event(
    kind: EventType,
    user_id: str,
    method: str,
    *,
    source: Source,
    session: str = "",
    reason: str = "",
    login: str = "",
    authenticator: str = "",
) -> NewEvent:
    """An event about a shown factor, of a login where one is named; a reason makes it a failure."""
    named = {"login": login, "authenticator": authenticator}
    return NewEvent(
        type=kind,
        outcome=Outcome.FAILURE if reason else Outcome.SUCCESS,
        reason=reason,
        severity=Severity.HIGH if reason == Reason.SIGN_COUNTER else None,
        source=source,
        user=user_id,
        session=session,
        details={"method": method, **{name: value for name, value in named.items() if value}},
    )


def spent_events(method: str, user_id: str, *, source: Source, session: str = "") -> list[NewEvent]:
    """A spent recovery code is an event of its own, with how many are left."""
    if method != "recovery_code":
        return []
    left = recovery_codes.count_left(user_id)
    kind = EventType.MFA_RECOVERY_CODES_USE
    return [plain_event(kind, user_id, source=source, session=session, left=left)]


def plain_event(
    kind: EventType,
    user_id: str,
    /,
    *,
    source: Source,
    session: str = "",
    reason: str = "",
    **details: object,
) -> NewEvent:
    """A success with details."""
    return NewEvent(
        type=kind,
        outcome=Outcome.SUCCESS,
        reason=reason,
        source=source,
        user=user_id,
        session=session,
        details=details,
    )
