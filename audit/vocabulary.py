"""The closed vocabularies that details are made of. A string outside them never reaches an event."""

from enum import StrEnum


class Text(StrEnum):
    """The names of free text and of other people's ids: personal data, shown beside the details."""

    NOTE = "note"  # the reason an admin typed, or what an auditor noted
    NAME = "name"  # the name a person gave to an authenticator or client
    QUERY = "query"  # the filters of an auditor, as sent
    PATH = "path"  # the address that was asked for without the role that it needs
    ERROR = "error"  # what a mail server or the receiver of a webhook answered


class Method(StrEnum):
    """What was shown: a second factor, or the password at a reauthentication."""

    TOTP = "totp"
    WEBAUTHN = "webauthn"
    RECOVERY_CODE = "recovery_code"
    PASSWORD = "password"  # noqa: S105


class Next(StrEnum):
    """What a partial token opens."""

    VERIFY = "verify"
    ENROLL = "enroll"


class Role(StrEnum):
    """What an account may do beyond its own affairs."""

    NONE = "none"
    AUDITOR = "auditor"
    ADMIN = "admin"


class MailboxEnd(StrEnum):
    """The mailboxes that confirm a change of address."""

    OLD = "old"
    NEW = "new"


class LimitStore(StrEnum):
    """Where limits of short windows are counted."""

    REDIS = "redis"
    DATABASE = "database"


class LimitPurpose(StrEnum):
    """The limits, by purpose."""

    PASSWORD_ACCOUNT_SOURCE = "password_account_source"  # noqa: S105
    PASSWORD_ACCOUNT = "password_account"  # noqa: S105
    PASSWORD_DEVICE = "password_device"  # noqa: S105
    PASSWORD_DEVICE_ATTEMPTS = "password_device_attempts"  # noqa: S105
    PASSWORD_SESSION = "password_session"  # noqa: S105
    PASSWORD_SOURCE = "password_source"  # noqa: S105
    PASSWORD_SOURCE_WIDE = "password_source_wide"  # noqa: S105
    SPRAYING = "spraying"
    SECOND_FACTOR_LOGIN = "second_factor_login"
    TOTP_ACCOUNT = "totp_account"
    TOTP_CONSECUTIVE = "totp_consecutive"
    TOTP_DEVICE = "totp_device"
    TOTP_DEVICE_CONSECUTIVE = "totp_device_consecutive"
    RECOVERY_ACCOUNT = "recovery_account"
    REFRESH = "refresh"
    MAIL_SOURCE = "mail_source"
    MAIL_SOURCE_WIDE = "mail_source_wide"
    MAIL_ADDRESS = "mail_address"
    PERSONAL_EXPORT = "personal_export"
    REQUESTS = "requests"
    HASHING = "hashing"


class LimitKey(StrEnum):
    """What a limit keeps a count of its own for."""

    ACCOUNT_SOURCE = "account_source"  # one account from one source
    ACCOUNT = "account"
    DEVICE = "device"
    LOGIN = "login"  # or one authenticator being bound
    SOURCE = "source"  # an IPv4 address or an IPv6 /64
    SOURCE_WIDE = "source_wide"  # an IPv6 /48, or the known devices at a source
    SESSION = "session"
    ADDRESS = "address"  # that mails go to


class TokenKind(StrEnum):
    """The tokens of the service."""

    PARTIAL = "partial"
    ACCESS = "access"
    REFRESH = "refresh"
    CONFIRM = "confirm"
    RESET = "reset"
    ENROL = "enrol"
    INVITE = "invite"
    DEVICE = "device"
    WEB = "web"


class KeyPurpose(StrEnum):
    """The key rings, and what seals them."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"
    AUDIT = "audit"
    DIGEST = "digest"
    MASTER = "master"


class View(StrEnum):
    """The parts of the log and of administration that can be read."""

    EVENTS = "events"
    EVENT = "event"
    PROOF = "proof"
    SUMMARY = "summary"
    EXPORT = "export"
    DETECTIONS = "detections"
    LOG = "log"
    USERS = "users"
    INVITATIONS = "invitations"
    TAIL = "tail"


class Keeper(StrEnum):
    """Who keeps a checkpoint that the log must continue."""

    DATABASE = "database"
    FILE = "file"
    WITNESS = "witness"


class Format(StrEnum):
    """The formats of an export."""

    JSONL = "jsonl"
    CSV = "csv"
    OCSF = "ocsf"
    ECS = "ecs"
    CEF = "cef"


class Template(StrEnum):
    """The mails of the service."""

    CONFIRM = "confirm"
    KNOWN_ADDRESS = "known_address"
    RESET = "reset"
    RESET_UNKNOWN = "reset_unknown"
    ENROL = "enrol"
    INVITATION = "invitation"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_CHANGE_REQUIRED = "password_change_required"  # noqa: S105
    AUTHENTICATOR_BOUND = "authenticator_bound"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    PASSKEY_COPIED = "passkey_copied"
    RECOVERY_CODES = "recovery_codes"
    RECOVERY_CODE_USED = "recovery_code_used"
    MFA_RESET = "mfa_reset"
    MFA_RESET_WAITING = "mfa_reset_waiting"
    MFA_RESET_CANCELLED = "mfa_reset_cancelled"
    ADDRESS_OLD = "address_old"
    ADDRESS_NEW = "address_new"
    ADDRESS_TAKEN = "address_taken"
    ADDRESS_CHANGED = "address_changed"
    DEVICE_FORGOTTEN = "device_forgotten"
    LOCKED = "locked"
    DISABLED = "disabled"
    UNLOCKED = "unlocked"
    ACCOUNT_DELETED = "account_deleted"
    NEW_DEVICE = "new_device"
    TOKEN_REUSE = "token_reuse"  # noqa: S105


class DetectionRule(StrEnum):
    """The rules of `audit.detections`."""

    BRUTE_FORCE = "brute_force"
    PASSWORD_SPRAYING = "password_spraying"  # noqa: S105
    CREDENTIAL_STUFFING = "credential_stuffing"
    DISTRIBUTED_GUESSING = "distributed_guessing"
    SECOND_FACTOR_GUESSING = "second_factor_guessing"
    REFRESH_REUSE = "refresh_reuse"
    LOCKOUT_WEAPON = "lockout_weapon"
    NEW_DEVICE_AFTER_RESET = "new_device_after_reset"
    MANY_RESETS = "many_resets"
    RESETS_FROM_ONE_SOURCE = "resets_from_one_source"
    PARTIAL_TOKEN_ELSEWHERE = "partial_token_elsewhere"  # noqa: S105
    MANY_NEW_DEVICES = "many_new_devices"
    DETECTION_FLOOD = "detection_flood"


class Amr(StrEnum):
    """Authentication methods of a session (RFC 8176)."""

    PWD = "pwd"  # noqa: S105
    OTP = "otp"
    HWK = "hwk"
    SWK = "swk"
    POP = "pop"
    PHR = "phr"
    KBA = "kba"
    USER = "user"
    MFA = "mfa"
    RECOVERY = "recovery"
