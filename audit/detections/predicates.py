"""What the rules count: each a question about one event."""

from typing import Final

from audit.detections.rule import Sighting
from audit.events import EventType as Type
from audit.events import Outcome, Reason
from audit.vocabulary import LimitPurpose

PASSWORD_LOCKS: Final = frozenset({LimitPurpose.PASSWORD_ACCOUNT_SOURCE, LimitPurpose.PASSWORD_ACCOUNT})
CODE_LOCKS: Final = frozenset(
    {
        LimitPurpose.TOTP_ACCOUNT,
        LimitPurpose.TOTP_CONSECUTIVE,
        LimitPurpose.TOTP_DEVICE,
        LimitPurpose.TOTP_DEVICE_CONSECUTIVE,
        LimitPurpose.RECOVERY_ACCOUNT,
    }
)
ASK_PASSWORD: Final = frozenset(
    {
        Type.LOGIN_PASSWORD,
        Type.SESSION_REAUTHENTICATE,
        Type.PASSWORD_CHANGE,
        Type.ADDRESS_REQUEST,
        Type.ACCOUNT_DELETE,
    }
)
WRONG_CODES: Final = frozenset({Reason.WRONG_CODE, Reason.REPLAYED_CODE})
STEPS: Final = frozenset({Type.LOGIN_SECOND_FACTOR, Type.MFA_TOTP_BEGIN, Type.MFA_TOTP_CONFIRM})


def _failed(seen: Sighting) -> bool:
    return seen.outcome == Outcome.FAILURE


def wrong_password(seen: Sighting) -> bool:
    """A password that was compared and was not the account's, or an account that does not exist."""
    wrong = seen.reason in (Reason.WRONG_PASSWORD, Reason.UNKNOWN_ACCOUNT)
    return seen.type in ASK_PASSWORD and wrong and _failed(seen)


def unknown_account(seen: Sighting) -> bool:
    """A password for an account that does not exist."""
    return seen.type == Type.LOGIN_PASSWORD and seen.reason == Reason.UNKNOWN_ACCOUNT


def right_password(seen: Sighting) -> bool:
    """A first step that succeeded."""
    return seen.type == Type.LOGIN_PASSWORD and seen.outcome == Outcome.SUCCESS


def _refused_by(seen: Sighting, purposes: frozenset[LimitPurpose]) -> bool:
    locked = seen.type == Type.LIMIT_EXCEEDED and seen.reason == Reason.LOCKED
    return locked and seen.details.get("limit") in purposes


def guessed_password(seen: Sighting) -> bool:
    """A wrong password, or an attempt that a lock refused."""
    return wrong_password(seen) or _refused_by(seen, PASSWORD_LOCKS)


def guessed_code(seen: Sighting) -> bool:
    """A wrong code, or an attempt that a lock of the second step refused."""
    judged = (
        seen.type in (Type.LOGIN_SECOND_FACTOR, Type.SESSION_REAUTHENTICATE) and seen.reason in WRONG_CODES
    )
    return judged or _refused_by(seen, CODE_LOCKS)


def password_lock(seen: Sighting) -> bool:
    """A lock of the password step began."""
    return seen.type == Type.ACCOUNT_LOCK and seen.details.get("limit") in PASSWORD_LOCKS


def lock_from_anywhere(seen: Sighting) -> bool:
    """The lock that shuts out every source."""
    return password_lock(seen) and seen.details.get("limit") == LimitPurpose.PASSWORD_ACCOUNT


def reset(seen: Sighting) -> bool:
    """A password or the second factor was replaced by another way than the owner's login."""
    return seen.type in (Type.PASSWORD_RESET, Type.MFA_RESET) and seen.outcome == Outcome.SUCCESS


def new_device(seen: Sighting) -> bool:
    """A login from a source that was not familiar."""
    return seen.type == Type.SESSION_OPEN and seen.details.get("new_device") is True


def login_after_reset(seen: Sighting) -> bool:
    """A login from a source that was not familiar, or one that enrols: after a reset all are new."""
    enrolled = seen.type == Type.MFA_TOTP_CONFIRM and not _failed(seen) and "login" in seen.details
    return enrolled or new_device(seen)


def reuse(seen: Sighting) -> bool:
    """A refresh token came back after its successor was issued."""
    return seen.type == Type.TOKEN_REUSE


def asked_for_reset(seen: Sighting) -> bool:
    """A reset link was asked for."""
    return seen.type == Type.PASSWORD_RESET_REQUEST


def password_step(seen: Sighting) -> bool:
    """The step that gave out a partial token: a login's, or the confirmation that is the first login."""
    confirmed = seen.type == Type.ACCOUNT_CONFIRM and not _failed(seen)
    return (right_password(seen) or confirmed) and "login" in seen.details


def later_step(seen: Sighting) -> bool:
    """What a partial token was shown for."""
    return seen.type in STEPS and "login" in seen.details


def any_step(seen: Sighting) -> bool:
    """Any step of a login that its id links."""
    return password_step(seen) or later_step(seen)
