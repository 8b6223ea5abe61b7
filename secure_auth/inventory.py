"""What a person can prove themselves with: seeing it, naming it, removing it."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from audit.append import append
from audit.events import EventType, Reason, Source
from mfa import recovery_codes
from mfa.models import Passkey, TotpAuthenticator
from secure_auth import factors, grants, letters, outbox, pending, relying_party
from secure_auth.errors import Code, Problem
from secure_auth.grants import Grant

METHODS = ("webauthn", "totp", "recovery_code")
TYPES = {TotpAuthenticator: "totp", Passkey: "webauthn"}
NAMES = {TotpAuthenticator: "Authenticator app", Passkey: "Passkey"}  # of one that its owner did not name


@dataclass(frozen=True)
class Held:
    """An authenticator as its owner sees it."""

    id: str
    type: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


def list_authenticators(user_id: str) -> list[Held]:
    """Authenticator apps and passkeys that count, oldest first."""
    held = [describe(row) for row in _rows(user_id)]
    return sorted(held, key=lambda one: (one.created_at, one.id))


def list_methods(user_id: str) -> tuple[str, ...]:
    """What the account can prove a second factor with now, the strongest first."""
    held = {TYPES[type(row)] for row in _rows(user_id)}
    codes = {"recovery_code"} if recovery_codes.count_left(user_id) else set()
    return tuple(method for method in METHODS if method in held | codes)


def describe(row: TotpAuthenticator | Passkey) -> Held:
    """One authenticator, without what proves it."""
    return Held(row.pk, TYPES[type(row)], row.name, row.created_at, row.last_used_at)


def _rows(user_id: str) -> list[TotpAuthenticator | Passkey]:
    return [*factors.confirmed_totp(user_id), *relying_party.passkeys_of(user_id)]


def rename_authenticator(*, grant: Grant, authenticator_id: str, name: str, source: Source) -> Held:
    """Give an authenticator of a freshly signed-in person another name.

    Raises:
        Problem: not_found, reauthentication_required, or invalid_token when the session ended meanwhile.
    """
    with transaction.atomic():
        refusal, row, _ = _judge(grant, authenticator_id)
        if row is None:
            append(grants.failure(EventType.MFA_RENAME, grant, _why(refusal), source))
        else:
            row.name = letters.plain(name)
            row.save(update_fields=["name"])
            append(grants.success(EventType.MFA_RENAME, grant, row.pk, source))
    if row is None:
        raise refusal or Problem(Code.NOT_FOUND)
    return describe(row)


def remove_authenticator(*, grant: Grant, authenticator_id: str, source: Source) -> None:
    """Remove an authenticator of a freshly signed-in person; logins under way die, the owner is told by mail.

    Raises:
        Problem: not_found, last_authenticator, reauthentication_required, or invalid_token when the session ended
            meanwhile.
    """
    with transaction.atomic():
        refusal, row, count = _judge(grant, authenticator_id)
        if row is None:
            append(grants.failure(EventType.MFA_REMOVE, grant, _why(refusal), source))
        elif count == 1:
            refusal = Problem(Code.LAST_AUTHENTICATOR)
            append(grants.failure(EventType.MFA_REMOVE, grant, Reason.LAST_AUTHENTICATOR, source))
        else:
            row.delete()
            pending.bump_credentials(grant.user.pk)
            outbox.queue_mail("authenticator_removed", to=grant.user.email, name=row.name or NAMES[type(row)])
            append(grants.success(EventType.MFA_REMOVE, grant, authenticator_id, source))
    if refusal or row is None:
        raise refusal or Problem(Code.NOT_FOUND)


def _judge(
    grant: Grant, authenticator_id: str
) -> tuple[Problem | None, TotpAuthenticator | Passkey | None, int]:
    """Judge the right under the account's lock; the authenticator, and how many there are."""
    refusal = grants.judge_right(grant)
    own = [] if refusal else _rows(grant.user.pk)
    return refusal, next((row for row in own if row.pk == authenticator_id), None), len(own)


def _why(refusal: Problem | None) -> Reason:
    return grants.why(refusal, Reason.SESSION_ENDED) if refusal else Reason.NOT_FOUND
