"""The closed vocabulary of events: what may be said, with which outcome, reason and severity.

A type is `subject.action`. A string outside these enums never reaches the log; the typed details of each type
are in `audit.details`. Nothing here can hold a password, code, secret, token or cookie.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request came from. Only `request_id`, ours, is kept in clear; the rest is personal data.

    `ip` is the client's address (see trusted proxies), `foreign_request_id` an identifier that an untrusted
    client sent. All are empty for what the service does by itself.
    """

    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    foreign_request_id: str = ""


SYSTEM: Final = Source()


class Outcome(StrEnum):
    """Whether the action took place."""

    SUCCESS = "success"
    FAILURE = "failure"


class Severity(StrEnum):
    """How much attention an event deserves, ascending."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class EventType(StrEnum):
    """What happened."""

    ACCOUNT_REGISTER = "account.register"
    ACCOUNT_CONFIRM = "account.confirm"
    ACCOUNT_CREATE = "account.create"
    ACCOUNT_DISABLE = "account.disable"
    ACCOUNT_ENABLE = "account.enable"
    ACCOUNT_LOCK = "account.lock"
    ACCOUNT_UNLOCK = "account.unlock"
    ACCOUNT_ROLE = "account.role"
    ACCOUNT_DELETE = "account.delete"
    ACCOUNT_EXPORT = "account.export"
    USERS_IMPORT = "users.import"
    USERS_EXPORT = "users.export"
    INVITATION_CREATE = "invitation.create"
    INVITATION_REVOKE = "invitation.revoke"
    ADDRESS_REQUEST = "address.request"
    ADDRESS_CONFIRM = "address.confirm"
    ADDRESS_CHANGE = "address.change"
    LOGIN_PASSWORD = "login.password"  # noqa: S105 the name of an event
    LOGIN_SECOND_FACTOR = "login.second_factor"
    LOGIN_ENROLL_TOKEN = "login.enroll_token"  # noqa: S105 the name of an event
    PASSWORD_CHANGE = "password.change"  # noqa: S105 the name of an event
    PASSWORD_RESET_REQUEST = "password.reset_request"  # noqa: S105 the name of an event
    PASSWORD_RESET = "password.reset"  # noqa: S105 the name of an event
    PASSWORD_REQUIRE_CHANGE = "password.require_change"  # noqa: S105 the name of an event
    MFA_TOTP_BEGIN = "mfa.totp.begin"
    MFA_TOTP_CONFIRM = "mfa.totp.confirm"
    MFA_WEBAUTHN_BEGIN = "mfa.webauthn.begin"
    MFA_WEBAUTHN_CONFIRM = "mfa.webauthn.confirm"
    MFA_WEBAUTHN_CHALLENGE = "mfa.webauthn.challenge"
    MFA_RENAME = "mfa.rename"
    MFA_REMOVE = "mfa.remove"
    MFA_RESET_REQUEST = "mfa.reset_request"
    MFA_RESET_CANCEL = "mfa.reset_cancel"
    MFA_RESET = "mfa.reset"
    MFA_RECOVERY_CODES_GENERATE = "mfa.recovery_codes.generate"
    MFA_RECOVERY_CODES_USE = "mfa.recovery_codes.use"
    DEVICE_REMEMBER = "device.remember"
    DEVICE_FORGET = "device.forget"
    SESSION_OPEN = "session.open"
    SESSION_REVOKE = "session.revoke"
    SESSION_END = "session.end"
    SESSION_REAUTHENTICATE = "session.reauthenticate"
    TOKEN_REFRESH = "token.refresh"  # noqa: S105 the name of an event
    TOKEN_REUSE = "token.reuse"  # noqa: S105 the name of an event
    TOKEN_REFUSED = "token.refused"  # noqa: S105 the name of an event
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 the name of an event
    TOKEN_INTROSPECT = "token.introspect"  # noqa: S105 the name of an event
    LIMIT_EXCEEDED = "limit.exceeded"
    LIMIT_STORE = "limit.store"
    PERMISSION_DENIED = "permission.denied"
    CLIENT_CREATE = "client.create"
    CLIENT_REVOKE = "client.revoke"
    KEY_CREATE = "key.create"
    KEY_ROTATE = "key.rotate"
    KEY_DESTROY = "key.destroy"
    AUDIT_READ = "audit.read"
    AUDIT_PRUNE = "audit.prune"
    AUDIT_ERASE = "audit.erase"
    AUDIT_VERIFY = "audit.verify"
    AUDIT_VERDICT = "audit.verdict"
    MAIL_FAIL = "mail.fail"
    MAIL_RETRY = "mail.retry"
    MAIL_DROP = "mail.drop"
    LOG_COLLAPSED = "log.collapsed"
    LOG_START = "log.start"
    LOG_INCONSISTENT = "log.inconsistent"
    DETECTION_RAISE = "detection.raise"
    DETECTION_ACKNOWLEDGE = "detection.acknowledge"
    WEBHOOK_FAIL = "webhook.fail"
    WEBHOOK_RETRY = "webhook.retry"


class Reason(StrEnum):
    """Why: of a refusal what stood in the way, of a success what caused it."""

    NONE = ""
    # refusals: credentials and codes
    UNKNOWN_ACCOUNT = "unknown_account"
    KNOWN_ADDRESS = "known_address"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 a reason
    WEAK_PASSWORD = "weak_password"  # noqa: S105 a reason
    BREACHED_PASSWORD = "breached_password"  # noqa: S105 a reason
    DISABLED = "disabled"
    WRONG_CODE = "wrong_code"
    REPLAYED_CODE = "replayed_code"
    NO_METHOD = "no_method"
    SIGN_COUNTER = "sign_counter"
    CREDENTIAL_CHANGED = "credential_changed"
    ENROLMENT_CLOSED = "enrolment_closed"
    MAILED_TOKEN_REQUIRED = "mailed_token_required"  # noqa: S105 a reason
    # refusals: tokens, links, sessions
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    REVOKED = "revoked"
    REUSED = "reused"
    SUPERSEDED = "superseded"
    SESSION_ENDED = "session_ended"
    LOGIN_ENDED = "login_ended"
    WEAK_KEY = "weak_key"
    # refusals: limits, rights, state
    RATE_LIMITED = "rate_limited"
    LOCKED = "locked"
    TOO_MANY_FAILURES = "too_many_failures"
    ROLE_MISSING = "role_missing"
    REAUTHENTICATION_REQUIRED = "reauthentication_required"
    CSRF = "csrf"
    NO_CLIENT = "no_client"
    WRONG_CLIENT = "wrong_client"
    INVALID_INPUT = "invalid_input"
    NOT_FOUND = "not_found"
    PENDING = "pending"
    PRUNED = "pruned"
    NOT_ALLOWED = "not_allowed"
    PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105 a reason
    REGISTRATION_CLOSED = "registration_closed"
    LAST_AUTHENTICATOR = "last_authenticator"
    TOO_MANY_AUTHENTICATORS = "too_many_authenticators"
    LAST_ADMIN = "last_admin"
    OWN_ACCOUNT = "own_account"
    OTHER_ADMIN = "other_admin"
    CAPACITY = "capacity"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"
    REJECTED = "rejected"
    # causes of a success
    BY_USER = "by_user"
    BY_ADMIN = "by_admin"
    BY_COMMAND = "by_command"
    LOGOUT = "logout"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 a reason
    PASSWORD_RESET = "password_reset"  # noqa: S105 a reason
    MFA_RESET = "mfa_reset"
    ADDRESS_CHANGED = "address_changed"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_DELETED = "account_deleted"
    TOKEN_REUSE = "token_reuse"  # noqa: S105 a reason
    REPLAYED = "replayed"
    IDLE = "idle"
    FIRST_START = "first_start"
    ROTATION = "rotation"
    RETENTION = "retention"
    COMPROMISED = "compromised"
    KEY_COMPROMISED = "key_compromised"


_S, _F = Outcome.SUCCESS, Outcome.FAILURE
_NOTABLE: Final[dict[tuple[EventType, Outcome], Severity]] = {
    (EventType.ACCOUNT_CREATE, _S): Severity.LOW,
    (EventType.ACCOUNT_DISABLE, _S): Severity.MEDIUM,
    (EventType.ACCOUNT_ENABLE, _S): Severity.MEDIUM,
    (EventType.ACCOUNT_LOCK, _S): Severity.MEDIUM,
    (EventType.ACCOUNT_UNLOCK, _S): Severity.LOW,
    (EventType.ACCOUNT_ROLE, _S): Severity.HIGH,
    (EventType.ACCOUNT_DELETE, _S): Severity.MEDIUM,
    (EventType.ACCOUNT_DELETE, _F): Severity.MEDIUM,
    (EventType.ACCOUNT_EXPORT, _S): Severity.LOW,
    (EventType.USERS_IMPORT, _S): Severity.MEDIUM,
    (EventType.USERS_EXPORT, _S): Severity.HIGH,
    (EventType.INVITATION_CREATE, _S): Severity.MEDIUM,
    (EventType.INVITATION_REVOKE, _S): Severity.LOW,
    # whoever fails here has already shown the right password
    (EventType.LOGIN_SECOND_FACTOR, _F): Severity.MEDIUM,
    (EventType.SESSION_REAUTHENTICATE, _F): Severity.MEDIUM,
    (EventType.PASSWORD_CHANGE, _S): Severity.LOW,
    (EventType.PASSWORD_CHANGE, _F): Severity.MEDIUM,
    (EventType.PASSWORD_RESET, _S): Severity.MEDIUM,
    (EventType.PASSWORD_REQUIRE_CHANGE, _S): Severity.MEDIUM,
    (EventType.MFA_TOTP_CONFIRM, _S): Severity.LOW,
    (EventType.MFA_WEBAUTHN_CONFIRM, _S): Severity.LOW,
    (EventType.MFA_REMOVE, _S): Severity.MEDIUM,
    (EventType.MFA_RESET_REQUEST, _S): Severity.HIGH,
    (EventType.MFA_RESET_CANCEL, _S): Severity.HIGH,
    (EventType.MFA_RESET, _S): Severity.HIGH,
    (EventType.ADDRESS_REQUEST, _S): Severity.MEDIUM,
    (EventType.ADDRESS_REQUEST, _F): Severity.MEDIUM,
    (EventType.ADDRESS_CHANGE, _S): Severity.HIGH,
    (EventType.ADDRESS_CHANGE, _F): Severity.MEDIUM,
    (EventType.MFA_RECOVERY_CODES_GENERATE, _S): Severity.LOW,
    (EventType.MFA_RECOVERY_CODES_USE, _S): Severity.MEDIUM,
    (EventType.TOKEN_REUSE, _S): Severity.HIGH,
    (EventType.TOKEN_REUSE, _F): Severity.HIGH,
    (EventType.LIMIT_EXCEEDED, _F): Severity.MEDIUM,
    (EventType.LIMIT_STORE, _F): Severity.MEDIUM,
    (EventType.PERMISSION_DENIED, _F): Severity.MEDIUM,
    (EventType.CLIENT_CREATE, _S): Severity.MEDIUM,
    (EventType.CLIENT_REVOKE, _S): Severity.MEDIUM,
    (EventType.KEY_CREATE, _S): Severity.MEDIUM,
    (EventType.KEY_ROTATE, _S): Severity.MEDIUM,
    (EventType.KEY_DESTROY, _S): Severity.MEDIUM,
    (EventType.AUDIT_PRUNE, _S): Severity.HIGH,
    (EventType.AUDIT_ERASE, _S): Severity.HIGH,
    (EventType.AUDIT_VERDICT, _F): Severity.CRITICAL,
    (EventType.MAIL_FAIL, _F): Severity.MEDIUM,
    (EventType.MAIL_DROP, _S): Severity.LOW,
    (EventType.LOG_INCONSISTENT, _F): Severity.CRITICAL,
    (EventType.WEBHOOK_FAIL, _F): Severity.MEDIUM,
}


def default_severity(type_: EventType, outcome: Outcome) -> Severity:
    """The severity where the writer states none: success is info, failure low, notable ones higher."""
    return _NOTABLE.get((type_, outcome), Severity.INFO if outcome is _S else Severity.LOW)
