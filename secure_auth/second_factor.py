"""A second factor as it is shown, whatever its kind: judged before the account is locked, accepted under the lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.events import Reason
from mfa import ceremonies, webauthn
from mfa.ceremonies import Holder
from mfa.models import Ceremony, Passkey
from secure_auth import factors, outbox, relying_party
from secure_auth.models import PendingLogin, Session, User
from secure_auth.relying_party import Response


@dataclass(frozen=True)
class SecondFactor:
    """What a person shows: a `code` of `method` totp or recovery_code, or the `credential` of webauthn."""

    method: str
    code: str = field(default="", repr=False)
    credential: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Verdict:
    """The amr values that a factor proved, none where it was refused, and why; which passkey it was."""

    amr: tuple[str, ...] = ()
    reason: Reason = Reason.WRONG_CODE
    passkey: Passkey | None = None

    @property
    def authenticator(self) -> str:
        """The passkey's id, if it was one of the account's."""
        return self.passkey.pk if self.passkey else ""


def of_login(login: PendingLogin) -> Holder:
    """Who answers the challenges of a pending login."""
    return Holder(login.user_id, Ceremony.Purpose.LOGIN, login.pk)


def of_session(session: Session) -> Holder:
    """Who answers the challenges of a reauthentication."""
    return Holder(session.user_id, Ceremony.Purpose.REAUTHENTICATE, session.pk)


def lane_of(session_id: str) -> str:
    """What wrong passkeys of a session count for. They bind no other: nobody guesses a signature, and whoever stole a
    session must not close the owner's other ways.
    """
    return f"reauthentication:{session_id}"


def judge(factor: SecondFactor, holder: Holder, *, now: datetime) -> Response:
    """Do what takes no lock: verify a signature. Codes are compared by accept()."""
    if factor.method != "webauthn":
        return Response()
    return relying_party.judge_assertion(holder, factor.credential, now=now)


def accept(user: User, factor: SecondFactor, response: Response, *, now: datetime) -> Verdict:
    """Use up what was shown, under the account's lock: a code, or a challenge with a step of the passkey's counter.

    A challenge is used up by a wrong answer too.
    """
    if factor.method != "webauthn":
        refused = factors.accept(user, factor.method, factor.code, now=now)
        return Verdict(reason=refused) if refused else Verdict(factors.AMR[factor.method])
    is_first = response.ceremony is not None and ceremonies.spend_ceremony(response.ceremony)
    if response.assertion is None or not is_first:
        return Verdict()
    passkey = Passkey.objects.filter(pk=response.assertion.passkey.pk).first()
    if passkey is None:
        return Verdict()  # removed meanwhile
    if webauthn.advance(response.assertion, now=now):
        return Verdict(relying_party.amr_of(passkey), passkey=passkey)
    outbox.queue_mail("passkey_copied", to=user.email, name=passkey.name or "Passkey")
    return Verdict(reason=Reason.SIGN_COUNTER, passkey=passkey)
