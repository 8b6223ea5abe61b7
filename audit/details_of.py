"""Which details each event type may hold."""

from typing import Any, Final

from audit.details import (
    Account,
    AddressChange,
    Authenticator,
    Client,
    Collapsed,
    Detection,
    Device,
    Erasure,
    FactorReset,
    Inconsistency,
    Invitation,
    Key,
    LimitHit,
    LimitStore,
    Lock,
    Login,
    LogStart,
    Mail,
    NoDetails,
    Permission,
    Reading,
    Removal,
    Session,
    Token,
    Transfer,
    Verification,
    Webhook,
)
from audit.events import EventType as Type

# fmt: off
_MODELS: Final[dict[type[Any], tuple[Type, ...]]] = {
    Account: (
        Type.ACCOUNT_REGISTER, Type.ACCOUNT_CONFIRM, Type.ACCOUNT_CREATE, Type.ACCOUNT_DISABLE,
        Type.ACCOUNT_ENABLE, Type.ACCOUNT_ROLE, Type.ACCOUNT_DELETE, Type.PASSWORD_CHANGE, Type.PASSWORD_RESET,
        Type.PASSWORD_REQUIRE_CHANGE,
    ),
    Invitation: (Type.INVITATION_CREATE, Type.INVITATION_REVOKE),
    Lock: (Type.ACCOUNT_LOCK, Type.ACCOUNT_UNLOCK),
    Login: (Type.LOGIN_PASSWORD, Type.LOGIN_SECOND_FACTOR, Type.LOGIN_ENROLL_TOKEN, Type.SESSION_REAUTHENTICATE),
    NoDetails: (Type.PASSWORD_RESET_REQUEST, Type.ACCOUNT_EXPORT),
    Transfer: (Type.USERS_IMPORT, Type.USERS_EXPORT),
    Authenticator: (
        Type.MFA_TOTP_BEGIN, Type.MFA_TOTP_CONFIRM, Type.MFA_WEBAUTHN_BEGIN, Type.MFA_WEBAUTHN_CONFIRM,
        Type.MFA_WEBAUTHN_CHALLENGE, Type.MFA_RENAME, Type.MFA_REMOVE,
        Type.MFA_RECOVERY_CODES_GENERATE, Type.MFA_RECOVERY_CODES_USE,
    ),
    FactorReset: (Type.MFA_RESET_REQUEST, Type.MFA_RESET_CANCEL, Type.MFA_RESET),
    AddressChange: (Type.ADDRESS_REQUEST, Type.ADDRESS_CONFIRM, Type.ADDRESS_CHANGE),
    Device: (Type.DEVICE_REMEMBER, Type.DEVICE_FORGET),
    Session: (Type.SESSION_OPEN, Type.SESSION_REVOKE, Type.SESSION_END),
    Token: (
        Type.TOKEN_REFRESH, Type.TOKEN_REUSE, Type.TOKEN_REFUSED, Type.TOKEN_REVOKE, Type.TOKEN_INTROSPECT,
    ),
    LimitHit: (Type.LIMIT_EXCEEDED,),
    LimitStore: (Type.LIMIT_STORE,),
    Permission: (Type.PERMISSION_DENIED,),
    Client: (Type.CLIENT_CREATE, Type.CLIENT_REVOKE),
    Key: (Type.KEY_CREATE, Type.KEY_ROTATE, Type.KEY_DESTROY),
    Reading: (Type.AUDIT_READ,),
    Verification: (Type.AUDIT_VERIFY, Type.AUDIT_VERDICT),
    Removal: (Type.AUDIT_PRUNE,),
    Erasure: (Type.AUDIT_ERASE,),
    Mail: (Type.MAIL_FAIL, Type.MAIL_RETRY, Type.MAIL_DROP),
    Collapsed: (Type.LOG_COLLAPSED,),
    LogStart: (Type.LOG_START,),
    Inconsistency: (Type.LOG_INCONSISTENT,),
    Detection: (Type.DETECTION_RAISE, Type.DETECTION_ACKNOWLEDGE),
    Webhook: (Type.WEBHOOK_FAIL, Type.WEBHOOK_RETRY),
}
# fmt: on
DETAILS: Final = {type_: model for model, types in _MODELS.items() for type_ in types}
