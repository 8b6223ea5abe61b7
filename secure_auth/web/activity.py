"""One's own security events in plain words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.events import EventType, Outcome
from secure_auth.agents import UNKNOWN, UNKNOWN_PROGRAM, describe_agent

WORDS: Final[dict[tuple[EventType, Outcome], Promise]] = {
    (EventType.ACCOUNT_CONFIRM, Outcome.SUCCESS): gettext_lazy("You confirmed your address"),
    (EventType.ACCOUNT_CREATE, Outcome.SUCCESS): gettext_lazy("The account was created"),
    (EventType.ACCOUNT_DISABLE, Outcome.SUCCESS): gettext_lazy("The account was disabled"),
    (EventType.ACCOUNT_DISABLE, Outcome.FAILURE): gettext_lazy("Disabling the account was refused"),
    (EventType.ACCOUNT_ENABLE, Outcome.SUCCESS): gettext_lazy("The account was enabled"),
    (EventType.ACCOUNT_ENABLE, Outcome.FAILURE): gettext_lazy("Enabling the account was refused"),
    (EventType.ACCOUNT_LOCK, Outcome.SUCCESS): gettext_lazy("Too many failures: locked for a while"),
    (EventType.ACCOUNT_UNLOCK, Outcome.SUCCESS): gettext_lazy("The lock was lifted"),
    (EventType.ACCOUNT_ROLE, Outcome.SUCCESS): gettext_lazy("The account's role changed"),
    (EventType.ACCOUNT_ROLE, Outcome.FAILURE): gettext_lazy("A change of the account's role was refused"),
    (EventType.LOGIN_PASSWORD, Outcome.SUCCESS): gettext_lazy("Right password, first step of a sign-in"),
    (EventType.LOGIN_PASSWORD, Outcome.FAILURE): gettext_lazy("Failed sign-in: wrong password"),
    (EventType.LOGIN_SECOND_FACTOR, Outcome.SUCCESS): gettext_lazy("Second step of a sign-in"),
    (EventType.LOGIN_SECOND_FACTOR, Outcome.FAILURE): gettext_lazy("Failed sign-in: second step"),
    (EventType.LOGIN_ENROLL_TOKEN, Outcome.FAILURE): gettext_lazy(
        "An authenticator was to be set up without the mailed link"
    ),
    (EventType.PASSWORD_CHANGE, Outcome.SUCCESS): gettext_lazy("You changed the password"),
    (EventType.PASSWORD_CHANGE, Outcome.FAILURE): gettext_lazy("A change of the password failed"),
    (EventType.PASSWORD_RESET_REQUEST, Outcome.SUCCESS): gettext_lazy(
        "A link to reset the password was asked for"
    ),
    (EventType.PASSWORD_RESET, Outcome.SUCCESS): gettext_lazy("The password was reset by mail"),
    (EventType.PASSWORD_RESET, Outcome.FAILURE): gettext_lazy("A reset of the password failed"),
    (EventType.PASSWORD_REQUIRE_CHANGE, Outcome.SUCCESS): gettext_lazy("The password must be changed"),
    (EventType.PASSWORD_REQUIRE_CHANGE, Outcome.FAILURE): gettext_lazy("A new password was not demanded"),
    (EventType.ADDRESS_REQUEST, Outcome.SUCCESS): gettext_lazy("Another address was asked for"),
    (EventType.ADDRESS_REQUEST, Outcome.FAILURE): gettext_lazy("A request for another address failed"),
    (EventType.ADDRESS_CONFIRM, Outcome.SUCCESS): gettext_lazy("A mailbox confirmed the change of address"),
    (EventType.ADDRESS_CHANGE, Outcome.SUCCESS): gettext_lazy("The address changed"),
    (EventType.ADDRESS_CHANGE, Outcome.FAILURE): gettext_lazy("The address could not be changed"),
    (EventType.ACCOUNT_EXPORT, Outcome.SUCCESS): gettext_lazy("You downloaded your data"),
    (EventType.ACCOUNT_DELETE, Outcome.FAILURE): gettext_lazy("A deletion of the account failed"),
    (EventType.MFA_TOTP_BEGIN, Outcome.SUCCESS): gettext_lazy("Setting up an authenticator began"),
    (EventType.MFA_TOTP_BEGIN, Outcome.FAILURE): gettext_lazy("Setting up an authenticator failed"),
    (EventType.MFA_TOTP_CONFIRM, Outcome.SUCCESS): gettext_lazy("An authenticator was added"),
    (EventType.MFA_TOTP_CONFIRM, Outcome.FAILURE): gettext_lazy("Setting up an authenticator failed"),
    (EventType.MFA_WEBAUTHN_BEGIN, Outcome.SUCCESS): gettext_lazy("Setting up a passkey began"),
    (EventType.MFA_WEBAUTHN_BEGIN, Outcome.FAILURE): gettext_lazy("Setting up a passkey failed"),
    (EventType.MFA_WEBAUTHN_CONFIRM, Outcome.SUCCESS): gettext_lazy("A passkey was added"),
    (EventType.MFA_WEBAUTHN_CONFIRM, Outcome.FAILURE): gettext_lazy("Setting up a passkey failed"),
    (EventType.MFA_WEBAUTHN_CHALLENGE, Outcome.SUCCESS): gettext_lazy("A passkey was asked for"),
    (EventType.MFA_WEBAUTHN_CHALLENGE, Outcome.FAILURE): gettext_lazy("A passkey was asked for in vain"),
    (EventType.MFA_RENAME, Outcome.SUCCESS): gettext_lazy("An authenticator got another name"),
    (EventType.MFA_RENAME, Outcome.FAILURE): gettext_lazy("An authenticator could not be renamed"),
    (EventType.MFA_RESET_REQUEST, Outcome.SUCCESS): gettext_lazy(
        "A reset of all authenticators was asked for"
    ),
    (EventType.MFA_RESET_REQUEST, Outcome.FAILURE): gettext_lazy("A reset of all authenticators was refused"),
    (EventType.MFA_RESET_CANCEL, Outcome.SUCCESS): gettext_lazy(
        "The reset of the authenticators was cancelled"
    ),
    (EventType.MFA_RESET_CANCEL, Outcome.FAILURE): gettext_lazy("No reset of the authenticators was waiting"),
    (EventType.MFA_REMOVE, Outcome.SUCCESS): gettext_lazy("An authenticator was removed"),
    (EventType.MFA_REMOVE, Outcome.FAILURE): gettext_lazy("An authenticator could not be removed"),
    (EventType.MFA_RESET, Outcome.SUCCESS): gettext_lazy("All authenticators were reset"),
    (EventType.MFA_RESET, Outcome.FAILURE): gettext_lazy("A reset of all authenticators was refused"),
    (EventType.MFA_RECOVERY_CODES_GENERATE, Outcome.SUCCESS): gettext_lazy("New recovery codes were made"),
    (EventType.MFA_RECOVERY_CODES_GENERATE, Outcome.FAILURE): gettext_lazy("New recovery codes were refused"),
    (EventType.MFA_RECOVERY_CODES_USE, Outcome.SUCCESS): gettext_lazy("A recovery code was used"),
    (EventType.DEVICE_REMEMBER, Outcome.SUCCESS): gettext_lazy("A device was remembered"),
    (EventType.DEVICE_FORGET, Outcome.SUCCESS): gettext_lazy("A device was forgotten"),
    (EventType.DEVICE_FORGET, Outcome.FAILURE): gettext_lazy("A device could not be forgotten"),
    (EventType.SESSION_OPEN, Outcome.SUCCESS): gettext_lazy("Signed in"),
    (EventType.SESSION_REVOKE, Outcome.SUCCESS): gettext_lazy("A session was ended"),
    (EventType.SESSION_REVOKE, Outcome.FAILURE): gettext_lazy("A session could not be ended"),
    (EventType.SESSION_END, Outcome.SUCCESS): gettext_lazy("Signed out"),
    (EventType.TOKEN_REFRESH, Outcome.SUCCESS): gettext_lazy("An app stayed signed in"),
    (EventType.TOKEN_REUSE, Outcome.FAILURE): gettext_lazy("A used token came again: the session was ended"),
    (EventType.TOKEN_REFUSED, Outcome.FAILURE): gettext_lazy("A token that is over was refused"),
    (EventType.TOKEN_REVOKE, Outcome.SUCCESS): gettext_lazy("An app signed out"),
    (EventType.TOKEN_INTROSPECT, Outcome.SUCCESS): gettext_lazy("Another service checked a session"),
    (EventType.SESSION_REAUTHENTICATE, Outcome.SUCCESS): gettext_lazy("You proved again that it is you"),
    (EventType.SESSION_REAUTHENTICATE, Outcome.FAILURE): gettext_lazy("Proving again failed"),
    (EventType.LIMIT_EXCEEDED, Outcome.FAILURE): gettext_lazy("Too many attempts: refused for a while"),
    (EventType.PERMISSION_DENIED, Outcome.FAILURE): gettext_lazy(
        "Something was refused that needs more rights"
    ),
    (EventType.AUDIT_READ, Outcome.SUCCESS): gettext_lazy("You read the audit log"),
    (EventType.AUDIT_READ, Outcome.FAILURE): gettext_lazy("A look into the audit log failed"),
    (EventType.AUDIT_VERIFY, Outcome.SUCCESS): gettext_lazy("You had the audit log verified"),
    (EventType.AUDIT_VERIFY, Outcome.FAILURE): gettext_lazy("The audit log was being verified already"),
    (EventType.AUDIT_VERDICT, Outcome.SUCCESS): gettext_lazy("The audit log was found unaltered"),
    (EventType.AUDIT_VERDICT, Outcome.FAILURE): gettext_lazy("The audit log was found altered"),
    (EventType.DETECTION_ACKNOWLEDGE, Outcome.SUCCESS): gettext_lazy("You noted what a detection was"),
    (EventType.DETECTION_ACKNOWLEDGE, Outcome.FAILURE): gettext_lazy("A note on a detection was refused"),
    (EventType.INVITATION_CREATE, Outcome.SUCCESS): gettext_lazy("You invited somebody"),
    (EventType.INVITATION_CREATE, Outcome.FAILURE): gettext_lazy("An invitation was refused"),
    (EventType.INVITATION_REVOKE, Outcome.SUCCESS): gettext_lazy("You withdrew an invitation"),
    (EventType.INVITATION_REVOKE, Outcome.FAILURE): gettext_lazy("An invitation could not be withdrawn"),
    (EventType.ACCOUNT_REGISTER, Outcome.SUCCESS): gettext_lazy(
        "Somebody asked for an account at your address"
    ),
    (EventType.MAIL_FAIL, Outcome.FAILURE): gettext_lazy("A mail to you could not be sent"),
    (EventType.LOG_COLLAPSED, Outcome.SUCCESS): gettext_lazy("The same happened many times"),
    (EventType.LOG_COLLAPSED, Outcome.FAILURE): gettext_lazy("The same was refused many times"),
}
_ALARMING: Final = frozenset({"medium", "high", "critical"})


@dataclass(frozen=True)
class Line:
    """One event for its owner. `tone` is ok, warn or nothing."""

    words: str
    tone: str
    time: datetime
    device: str
    ip: str


def describe_event(event: dict[str, Any]) -> Line:
    """The words for an event as review.list_activity() gives it."""
    kind, outcome = event["type"], event["outcome"]
    # A newer node may have written what this one has no words for.
    words = str(WORDS.get((kind, outcome), kind))
    if event["severity"] in _ALARMING and outcome == Outcome.FAILURE:
        tone = "warn"
    else:
        tone = "ok" if kind == EventType.SESSION_OPEN else ""
    agent = event["source"]["user_agent"]
    time = datetime.fromisoformat(event["time"])
    return Line(words, tone, time, describe_device(agent) if agent else "", event["source"]["ip"])


def describe_device(user_agent: str) -> str:
    """A User-Agent in words; what it says of itself is shown as letters and digits only."""
    agent = describe_agent(user_agent)
    if agent.words == UNKNOWN:
        return _("Unknown device")
    program = _("Unknown browser") if agent.program == UNKNOWN_PROGRAM else agent.program
    if not agent.system:
        return program
    return _("%(program)s on %(system)s") % {"program": program, "system": agent.system}
