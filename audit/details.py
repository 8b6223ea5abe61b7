"""What the details of each event type may hold: closed and typed.

Allowed are enums, whole numbers, booleans, moments, opaque ids, and tuples of enums. None means absent. Free
text has no place here: it goes into `NewEvent.text` under a `Text` name, which is stored as personal data.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NewType

from audit.events import EventType as Type
from audit.events import Reason
from audit.vocabulary import (
    Amr,
    Format,
    KeyPurpose,
    LimitPurpose,
    Method,
    Next,
    Role,
    Template,
    TokenKind,
    View,
)

Id = NewType("Id", str)  # [A-Za-z0-9_-]{1,64}: a row id, a jti, a key id


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDetails:
    """Nothing but the event itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account or the registration it came from."""

    registration: Id | None = None
    role: Role | None = None
    previous_role: Role | None = None
    sessions: int | None = None  # how many ended with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock that began or ended. Without `until` it lasts until it is cleared."""

    limit: LimitPurpose | None = None
    level: int | None = None
    until: datetime | None = None
    device: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A step of a login; `login` is the pending login's id."""

    login: Id | None = None
    next: Next | None = None
    method: Method | None = None
    authenticator: Id | None = None
    device: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """An authenticator or a set of recovery codes."""

    authenticator: Id | None = None
    method: Method | None = None
    login: Id | None = None
    count: int | None = None
    left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A remembered device."""

    device: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that opened, ended or was to end; `target` where it is not the request's own."""

    target: Id | None = None
    login: Id | None = None
    device: Id | None = None
    amr: tuple[Amr, ...] | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token, by kind, jti and generation in its family; never the token."""

    kind: TokenKind | None = None
    jti: Id | None = None
    generation: int | None = None
    replayed: bool | None = None
    client: Id | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitHit:
    """A limit that refused."""

    limit: LimitPurpose
    count: int | None = None
    retry_after_seconds: int | None = None
    login: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The role that was missing, and for what."""

    role: Role | None = None
    view: View | None = None
    action: Type | None = None
    target: Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of introspection."""

    client: Id | None = None
    rotated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a ring."""

    key_id: Id
    purpose: KeyPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of the log, and how much of it."""

    view: View
    format: Format | None = None
    event: Id | None = None
    results: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What retention or an erasure covers: events before `before_ms` (Unix time), or one account's."""

    events: int
    before_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail of the outbox."""

    message: Id
    template: Template
    attempts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapsed:
    """`count` further events like `first_event` in the window that began with it."""

    type: Type
    reason: Reason | None = None
    first_event: Id
    count: int
    window_seconds: int


DETAILS: Final[dict[Type, type[Any]]] = {
    Type.ACCOUNT_REGISTER: Account,
    Type.ACCOUNT_CONFIRM: Account,
    Type.ACCOUNT_CREATE: Account,
    Type.ACCOUNT_DISABLE: Account,
    Type.ACCOUNT_ENABLE: Account,
    Type.ACCOUNT_LOCK: Lock,
    Type.ACCOUNT_UNLOCK: Lock,
    Type.ACCOUNT_ROLE: Account,
    Type.LOGIN_PASSWORD: Login,
    Type.LOGIN_SECOND_FACTOR: Login,
    Type.LOGIN_ENROLL_TOKEN: Login,
    Type.PASSWORD_CHANGE: Account,
    Type.PASSWORD_RESET_REQUEST: NoDetails,
    Type.PASSWORD_RESET: Account,
    Type.MFA_TOTP_BEGIN: Authenticator,
    Type.MFA_TOTP_CONFIRM: Authenticator,
    Type.MFA_REMOVE: Authenticator,
    Type.MFA_RESET: Authenticator,
    Type.MFA_RECOVERY_CODES_GENERATE: Authenticator,
    Type.MFA_RECOVERY_CODES_USE: Authenticator,
    Type.DEVICE_REMEMBER: Device,
    Type.DEVICE_FORGET: Device,
    Type.SESSION_OPEN: Session,
    Type.SESSION_REVOKE: Session,
    Type.SESSION_END: Session,
    Type.TOKEN_REFRESH: Token,
    Type.TOKEN_REUSE: Token,
    Type.TOKEN_REFUSED: Token,
    Type.TOKEN_REVOKE: Token,
    Type.TOKEN_INTROSPECT: Token,
    Type.REAUTHENTICATION: Login,
    Type.LIMIT_EXCEEDED: LimitHit,
    Type.PERMISSION_DENIED: Permission,
    Type.CLIENT_CREATE: Client,
    Type.CLIENT_REVOKE: Client,
    Type.KEY_CREATE: Key,
    Type.KEY_ROTATE: Key,
    Type.AUDIT_READ: Reading,
    Type.AUDIT_PRUNE: Removal,
    Type.AUDIT_ERASE: Removal,
    Type.MAIL_SEND: Mail,
    Type.MAIL_FAIL: Mail,
    Type.LOG_COLLAPSED: Collapsed,
}
