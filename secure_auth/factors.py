"""The account's second factors: the mechanisms of mfa with this service's keys handed to them, and their events."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from cryptography.exceptions import InvalidTag

from audit.append import NewEvent
from audit.events import EventType, Outcome, Reason, Severity, Source
from mfa import recovery_codes, totp
from mfa.models import TotpAuthenticator
from secure_auth import digest_ring, keys, outbox, rows
from secure_auth.errors import Code, Problem
from secure_auth.keys import OpenKey
from secure_auth.models import Key, User

log = structlog.get_logger(__name__)

REASONS = {
    totp.Judgement.ACCEPTED: Reason.NONE,
    totp.Judgement.REPLAYED: Reason.REPLAYED_CODE,
    totp.Judgement.WRONG: Reason.WRONG_CODE,
}
CONFIRMED = """
SELECT {columns} FROM mfa_totpauthenticator WHERE user_id = %s AND confirmed_at IS NOT NULL ORDER BY created_at
"""
AMR = {"totp": ("otp",), "recovery_code": ("recovery",)}  # what each method is in amr (RFC 8176 names otp)


def totp_context(authenticator: TotpAuthenticator) -> str:
    """What a sealed TOTP secret is bound to: its row and its owner."""
    return f"totp:{authenticator.pk}:{authenticator.user_id}"


def seal_totp(authenticator: TotpAuthenticator, secret: bytes) -> None:
    """Seal a secret into its row with the active encryption key, in the transaction that stores the row."""
    _seal(authenticator, secret, keys.sealing_key(Key.Purpose.ENCRYPTION))


def _seal(authenticator: TotpAuthenticator, secret: bytes, key: OpenKey) -> None:
    authenticator.key_id = key.kid
    authenticator.sealed_secret = keys.seal(secret, key=key.secret, context=totp_context(authenticator))


def unseal_totp(authenticator: TotpAuthenticator) -> bytes | None:
    """The secret of a row; None, and a line in the log, for one that was altered or copied from another row."""
    ring = keys.ring(Key.Purpose.ENCRYPTION)
    if (
        authenticator.key_id not in ring.keys
    ):  # sealed anew since this row was read, or with a key not yet known here
        authenticator.refresh_from_db(fields=["key_id", "sealed_secret"])
        ring = keys.read_ring(Key.Purpose.ENCRYPTION)
    key = ring.keys.get(authenticator.key_id)
    if key is not None:
        with suppress(InvalidTag, ValueError):
            sealed = bytes(authenticator.sealed_secret)
            return keys.unseal(sealed, key=key.secret, context=totp_context(authenticator))
    log.error("authenticator.unreadable", authenticator=authenticator.pk)
    return None


def reseal_totp(authenticator: TotpAuthenticator, key: OpenKey) -> bool | None:
    """Seal a stored secret anew with the `keys.sealing_key` of the present transaction; None when it does not open.

    A compare-and-swap: False when the row was changed or removed since it was read, and stays as it is.
    """
    before = {"key_id": authenticator.key_id, "sealed_secret": bytes(authenticator.sealed_secret)}
    secret = unseal_totp(authenticator)
    if secret is None:
        return None
    _seal(authenticator, secret, key)
    after = {"key_id": authenticator.key_id, "sealed_secret": authenticator.sealed_secret}
    return bool(TotpAuthenticator.objects.filter(pk=authenticator.pk, **before).update(**after))


def count_sealed(kids: Iterable[str], *, but: Iterable[str] = ()) -> int:
    """How many secrets bear these key ids, some rows left out."""
    return TotpAuthenticator.objects.filter(key_id__in=kids).exclude(pk__in=but).count()


def replace_recovery_codes(user_id: str) -> list[str]:
    """Ten new recovery codes, known by a keyed digest; the old ones are dead."""
    kid = keys.digest_kid()

    def digest(code: str) -> str:
        return keys.digest("recovery", user_id, code, kid=kid)

    return recovery_codes.replace_codes(user_id, digest=digest, key_id=kid)


def digests_of_code(user_id: str) -> recovery_codes.Digests:
    """What a recovery code may be kept as, by each key of the ring."""
    return lambda code: digest_ring.digests("recovery", user_id, code)


def confirmed_totp(user_id: str) -> list[TotpAuthenticator]:
    """The authenticator apps that count."""
    return rows.fetch_rows(
        TotpAuthenticator, CONFIRMED.format(columns=rows.columns(TotpAuthenticator)), [user_id]
    )


def accept(user: User, method: str, code: str, *, now: datetime) -> Reason:
    """Why a code is refused; NONE for one that is right and was not used before, which is used up by this."""
    if method == "totp":
        return REASONS[totp.accept_code(confirmed_totp(user.pk), code, unseal=unseal_totp, now=now)]
    return REASONS[recovery_codes.spend_code(user.pk, code, digests=digests_of_code(user.pk), now=now)]


def wrong_first_code(row: TotpAuthenticator, code: str, *, now: datetime) -> Problem:
    """The refusal of a first code. Of a clock that is wrong it tells: who confirms was just shown the secret.

    Nowhere else is a code looked for outside its window.
    """
    secret = unseal_totp(row)
    offset = secret and totp.clock_offset_seconds(secret, code, totp.scheme_of(row), now=now.timestamp())
    if not offset:
        return Problem(Code.INVALID_CODE)
    minutes = max(1, round(abs(offset) / 60))
    detail = (
        f"This code belongs to another time: your device's clock is about {minutes} "
        f"minute{'' if minutes == 1 else 's'} {'ahead' if offset > 0 else 'behind'}. Set it by the network, then "
        "type the next code."
    )
    return Problem(Code.INVALID_CODE, detail, members={"clock_offset_seconds": offset})


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


@dataclass(frozen=True)
class Spent:
    """What follows from a right code: of a recovery code how many are `left`, and the event that says so."""

    left: int | None = None
    events: list[NewEvent] = field(default_factory=list)


def note_spent(user: User, method: str, *, source: Source, session: str = "") -> Spent:
    """A spent recovery code is an event of its own, and a mail to the owner that warns when few are left."""
    if method != "recovery_code":
        return Spent()
    left = recovery_codes.count_left(user.pk)
    warning = "" if left > recovery_codes.FEW_LEFT else "few" if left else "none"
    outbox.queue_mail("recovery_code_used", to=user.email, left=str(left), warning=warning, address=source.ip)
    kind = EventType.MFA_RECOVERY_CODES_USE
    return Spent(left, [plain_event(kind, user.pk, source=source, session=session, left=left)])


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
