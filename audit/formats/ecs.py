"""ECS: Elastic Common Schema 9.4, one document a line. What it has no field for stands under `secure_auth`.

Where an event has an `actor`, that is `user` and the account which the event is about is `user.target`, as ECS wants.
"""

from collections.abc import Mapping
from typing import Any, Final

from audit.events import EventType as Type
from audit.formats.jsonl import encode
from audit.records import Record
from audit.validation import rfc3339

VERSION: Final = "9.4.0"
SEVERITIES: Final = {"info": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
SERVICE: Final = {"name": "Secure Auth", "type": "secure_auth"}

# fmt: off
# event.category and event.type, with what ECS allows beside each other
_KINDS: Final[dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[Type, ...]]] = {
    (("iam",), ("user", "creation")): (Type.ACCOUNT_REGISTER, Type.ACCOUNT_CREATE),
    (("iam",), ("user", "deletion")): (Type.ACCOUNT_DELETE,),
    (("iam",), ("user", "change")): (
        Type.ACCOUNT_CONFIRM, Type.ACCOUNT_DISABLE, Type.ACCOUNT_ENABLE, Type.ACCOUNT_LOCK, Type.ACCOUNT_UNLOCK,
        Type.ACCOUNT_ROLE, Type.PASSWORD_CHANGE, Type.PASSWORD_RESET, Type.MFA_TOTP_CONFIRM, Type.MFA_REMOVE,
        Type.MFA_RESET, Type.MFA_RECOVERY_CODES_GENERATE, Type.DEVICE_REMEMBER, Type.DEVICE_FORGET,
        Type.PASSWORD_REQUIRE_CHANGE, Type.ADDRESS_CHANGE, Type.MFA_WEBAUTHN_CONFIRM, Type.MFA_RENAME,
    ),
    (("iam",), ("user", "info")): (
        Type.PASSWORD_RESET_REQUEST, Type.MFA_TOTP_BEGIN, Type.MFA_RESET_REQUEST, Type.MFA_RESET_CANCEL,
        Type.ADDRESS_REQUEST, Type.ADDRESS_CONFIRM, Type.MFA_WEBAUTHN_BEGIN,
    ),
    (("authentication",), ("start",)): (Type.LOGIN_PASSWORD, Type.LOGIN_SECOND_FACTOR, Type.SESSION_REAUTHENTICATE),
    (("authentication",), ("info",)): (
        Type.LOGIN_ENROLL_TOKEN, Type.MFA_WEBAUTHN_CHALLENGE, Type.MFA_RECOVERY_CODES_USE,
        Type.TOKEN_REFUSED, Type.TOKEN_INTROSPECT,
    ),
    (("authentication", "session"), ("start",)): (Type.SESSION_OPEN,),
    (("session",), ("end",)): (Type.SESSION_REVOKE, Type.SESSION_END, Type.TOKEN_REVOKE),
    (("session",), ("info",)): (Type.TOKEN_REFRESH,),
    (("intrusion_detection", "session"), ("info",)): (Type.TOKEN_REUSE,),
    (("intrusion_detection",), ("denied",)): (Type.LIMIT_EXCEEDED, Type.PERMISSION_DENIED),
    (("intrusion_detection",), ("info",)): (
        Type.LOG_COLLAPSED, Type.LOG_INCONSISTENT, Type.DETECTION_RAISE, Type.DETECTION_ACKNOWLEDGE,
    ),
    (("iam",), ("admin", "creation")): (Type.CLIENT_CREATE, Type.INVITATION_CREATE, Type.USERS_IMPORT),
    (("iam",), ("admin", "deletion")): (Type.CLIENT_REVOKE, Type.INVITATION_REVOKE),
    (("configuration",), ("creation",)): (Type.KEY_CREATE, Type.LOG_START),
    (("configuration",), ("change",)): (Type.KEY_ROTATE,),
    (("configuration",), ("deletion",)): (Type.KEY_DESTROY,),
    (("configuration",), ("info",)): (Type.LIMIT_STORE, Type.WEBHOOK_FAIL, Type.WEBHOOK_RETRY),
    (("database",), ("access",)): (
        Type.AUDIT_READ, Type.AUDIT_VERIFY, Type.AUDIT_VERDICT, Type.ACCOUNT_EXPORT, Type.USERS_EXPORT,
    ),
    (("database",), ("change",)): (Type.AUDIT_PRUNE, Type.AUDIT_ERASE),
    (("email",), ("info",)): (Type.MAIL_FAIL, Type.MAIL_RETRY, Type.MAIL_DROP),
}
# fmt: on
_KIND_OF: Final = {
    str(type_): (list(category), list(kind)) for (category, kind), types in _KINDS.items() for type_ in types
}
_UNKNOWN: Final = (["iam"], ["info"])


def line(record: Record, proof: Mapping[str, Any] | None) -> str:
    """One line; the proof is `secure_auth.proof`."""
    return encode(document(record, proof)) + "\n"


def document(record: Record, proof: Mapping[str, Any] | None) -> dict[str, Any]:
    """The event as an ECS document; fields without a value are left out."""
    category, kind = _KIND_OF.get(record.type, _UNKNOWN)
    event = {
        "id": record.id,
        "kind": "event",
        "category": category,
        "type": kind,
        "action": record.type,
        "outcome": record.outcome,
        "severity": SEVERITIES[record.severity],
        "provider": "secure_auth",
        "dataset": "secure_auth.audit",
    }
    if record.reason:
        event["reason"] = record.reason
    own: dict[str, Any] = {"severity": record.severity}
    found: dict[str, Any] = {
        "@timestamp": rfc3339(record.time),
        "ecs": {"version": VERSION},
        "message": " ".join(filter(None, (record.type, record.outcome, record.reason))),
        "event": event,
        "service": SERVICE,
        "secure_auth": own,
    }
    if record.session:
        own["session"] = record.session
    if record.details or record.text:
        own["details"] = record.details | record.text
    if proof:
        own["proof"] = proof
    _add_people(found, record)
    _add_source(found, record)
    return found


def _add_people(found: dict[str, Any], record: Record) -> None:
    actor = record.details.get("actor", "")
    people = list(dict.fromkeys(filter(None, (actor, record.user))))
    user: dict[str, Any] = {}
    if people:
        user["id"] = people[0]
        found["related"] = {"user": people}
    if len(people) > 1:
        user["target"] = {"id": record.user}
    if record.subject:
        user["hash"] = record.subject
    if user:
        found["user"] = user


def _add_source(found: dict[str, Any], record: Record) -> None:
    if record.ip:
        found["source"] = {"ip": record.ip, "address": record.ip}
        found.setdefault("related", {})["ip"] = [record.ip]
    if record.user_agent:
        found["user_agent"] = {"original": record.user_agent}
    if record.request_id:
        found["http"] = {"request": {"id": record.request_id}}
