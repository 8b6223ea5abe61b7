"""Passkeys and security keys: their challenges, and binding one (WebAuthn Level 3).

A passkey is bound by somebody signed in freshly, never through a partial token: the first factor of an account is an
authenticator app. A challenge belongs to the pending login or session that it was given to and is good once.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.append import append
from audit.events import EventType, Reason, Source
from mfa import ceremonies, webauthn
from mfa.ceremonies import Holder
from mfa.models import Ceremony, Passkey
from secure_auth import factors, grants, letters, outbox, pending, relying_party
from secure_auth.errors import Code, Problem, invalid_token, validation_failed
from secure_auth.grants import Grant
from secure_auth.models import PendingLogin, Session, User

MOST_PASSKEYS = 20
UNFIT = "This is no new credential for options that are open here."


def challenge(*, holder: Holder, source: Source) -> webauthn.Json:
    """Options to show one of the account's passkeys: in the second step of a login, or at a reauthentication.

    Raises:
        Problem: not_found where the account has none, invalid_token when the login or session ended meanwhile.
    """
    now, options = timezone.now(), None
    with transaction.atomic():
        ended = _find_end(holder, pending.lock_account(holder.user_id), now)
        present = [] if ended else relying_party.passkeys_of(holder.user_id)
        if present:
            options = relying_party.offer_request(holder, present, now=now)
        reason = ended or (Reason.NONE if present else Reason.NO_METHOD)
        is_login = holder.purpose == Ceremony.Purpose.LOGIN
        bound = {"login": holder.bound_to} if is_login else {"session": holder.bound_to}
        kind = EventType.MFA_WEBAUTHN_CHALLENGE
        append(factors.event(kind, holder.user_id, "webauthn", source=source, reason=reason, **bound))
    if options is None:
        raise invalid_token() if ended else Problem(Code.NOT_FOUND)
    return options


def _find_end(holder: Holder, locked: User | None, now: datetime) -> Reason:
    """Why a holder gets no challenge any more; empty when it does."""
    if holder.purpose == Ceremony.Purpose.LOGIN:
        login = PendingLogin.objects.filter(pk=holder.bound_to).first()
        is_live = locked is not None and login is not None and pending.is_live(login, locked, now)
        return Reason.NONE if is_live else Reason.LOGIN_ENDED
    session = Session.objects.filter(pk=holder.bound_to, revoked_at=None)
    return Reason.NONE if session.exists() else Reason.SESSION_ENDED


def begin_passkey(*, grant: Grant, source: Source) -> webauthn.Json:
    """Options for a new passkey of a freshly signed-in person.

    Raises:
        Problem: temporarily_locked, reauthentication_required, or invalid_token when the session ended meanwhile.
    """
    grants.demand_open_second_step(grant, source)
    options: webauthn.Json = {}
    with transaction.atomic():
        refusal = grants.judge_right(grant)
        if refusal:
            reason = grants.why(refusal, Reason.SESSION_ENDED)
            append(grants.failure(EventType.MFA_WEBAUTHN_BEGIN, grant, reason, source))
        else:
            options = relying_party.offer_creation(
                grant.user, session_id=grant.session_id, now=timezone.now()
            )
            append(grants.success(EventType.MFA_WEBAUTHN_BEGIN, grant, "", source))
    if refusal:
        raise refusal
    return options


def confirm_passkey(*, grant: Grant, credential: Mapping[str, Any], name: str, source: Source) -> Passkey:
    """Bind the credential that was made for a challenge of this session; the owner is told by mail.

    Raises:
        Problem: validation_failed for a credential that does not fit or is bound already, to whomever;
            temporarily_locked, reauthentication_required, too_many_authenticators, or invalid_token when the session
            ended meanwhile.
    """
    grants.demand_open_second_step(grant, source)
    now = timezone.now()
    holder = Holder(grant.user.pk, Ceremony.Purpose.BIND, grant.session_id)
    ceremony, made = relying_party.judge_creation(holder, credential, now=now)
    row = None
    with transaction.atomic():
        refusal = grants.judge_right(grant)
        if refusal:
            reason = grants.why(refusal, Reason.SESSION_ENDED)
        elif ceremony is None or not ceremonies.spend_ceremony(ceremony):
            reason = Reason.UNKNOWN
        elif made is None:
            reason = Reason.INVALID_INPUT
        elif Passkey.objects.filter(user=grant.user).count() >= MOST_PASSKEYS:
            reason, refusal = Reason.TOO_MANY_AUTHENTICATORS, Problem(Code.TOO_MANY_AUTHENTICATORS)
        else:
            row, reason = _bind(grant, ceremony, made, letters.plain(name)), Reason.USED
        if row is None:
            append(grants.failure(EventType.MFA_WEBAUTHN_CONFIRM, grant, reason, source))
        else:
            append(grants.success(EventType.MFA_WEBAUTHN_CONFIRM, grant, row.pk, source))
    if row is None:
        raise refusal or validation_failed("credential", "invalid", UNFIT)
    return row


def _bind(grant: Grant, ceremony: Ceremony, made: webauthn.NewCredential, name: str) -> Passkey | None:
    """The new row; None where some account has this credential, which the database alone can decide."""
    row = relying_party.new_passkey(grant.user, name, ceremony, made)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return None
    pending.bump_credentials(grant.user.pk)
    if grant.session:  # who made a key for our challenge holds it: as good as showing it
        amr = dict.fromkeys([*grant.session.amr.split(), *relying_party.amr_of(row)])
        Session.objects.filter(pk=grant.session.pk).update(amr=" ".join(amr))
    outbox.queue_mail("authenticator_bound", to=grant.user.email, name=name or "Passkey")
    return row
