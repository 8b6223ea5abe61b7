"""OCSF 1.8: Open Cybersecurity Schema Framework, one event a line. What it has no attribute for is in `unmapped`.

A completed login is one successful Logon: that of `session.open`. The steps before it that succeeded are a Preauth, a
step that failed is a failed Logon. `finding` events (2004) are those in which the service itself saw an attack.
"""

from collections.abc import Mapping
from typing import Any, Final

from audit.events import EventType as Type
from audit.formats.jsonl import encode
from audit.records import Record

VERSION: Final = "1.8.0"
PRODUCT: Final = {"name": "Secure Auth", "vendor_name": "Secure Auth", "version": "1"}
SEVERITIES: Final = {"info": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
STATUSES: Final = {"success": (1, "Success"), "failure": (2, "Failure")}
OTHER: Final = 99
FACTORS: Final = {"totp": 7, "webauthn": 10, "password": 11, "recovery_code": OTHER}
_CLASSES: Final = {
    2004: "Detection Finding",
    3001: "Account Change",
    3002: "Authentication",
    3003: "Authorize Session",
    6003: "API Activity",
}

# fmt: off
_ACTIVITIES: Final[dict[tuple[int, int, str], tuple[Type, ...]]] = {
    (3001, 1, "Create"): (Type.ACCOUNT_REGISTER, Type.ACCOUNT_CREATE),
    (3001, 2, "Enable"): (Type.ACCOUNT_CONFIRM, Type.ACCOUNT_ENABLE),
    (3001, 3, "Password Change"): (Type.PASSWORD_CHANGE,),
    (3001, 4, "Password Reset"): (Type.PASSWORD_RESET,),
    (3001, 5, "Disable"): (Type.ACCOUNT_DISABLE,),
    (3001, 6, "Delete"): (Type.ACCOUNT_DELETE,),
    (3001, 9, "Lock"): (Type.ACCOUNT_LOCK,),
    (3001, 10, "MFA Factor Enable"): (Type.MFA_TOTP_CONFIRM, Type.MFA_WEBAUTHN_CONFIRM),
    (3001, 11, "MFA Factor Disable"): (Type.MFA_REMOVE, Type.MFA_RESET),
    (3001, 12, "Unlock"): (Type.ACCOUNT_UNLOCK,),
    (3001, OTHER, ""): (
        Type.ACCOUNT_ROLE, Type.PASSWORD_RESET_REQUEST, Type.PASSWORD_REQUIRE_CHANGE, Type.MFA_TOTP_BEGIN,
        Type.MFA_RECOVERY_CODES_GENERATE, Type.MFA_RECOVERY_CODES_USE, Type.DEVICE_REMEMBER, Type.DEVICE_FORGET,
        Type.MFA_RESET_REQUEST, Type.MFA_RESET_CANCEL, Type.ADDRESS_REQUEST, Type.ADDRESS_CONFIRM, Type.ADDRESS_CHANGE,
        Type.MFA_WEBAUTHN_BEGIN, Type.MFA_RENAME,
    ),
    (3002, 1, "Logon"): (Type.SESSION_OPEN,),
    (3002, 2, "Logoff"): (Type.SESSION_REVOKE, Type.SESSION_END),
    (3002, 6, "Preauth"): (
        Type.LOGIN_PASSWORD, Type.LOGIN_SECOND_FACTOR, Type.LOGIN_ENROLL_TOKEN, Type.SESSION_REAUTHENTICATE,
        Type.MFA_WEBAUTHN_CHALLENGE,
    ),
    (3002, OTHER, ""): (Type.TOKEN_REFRESH, Type.TOKEN_REFUSED, Type.TOKEN_REVOKE, Type.TOKEN_INTROSPECT),
    (3003, 1, "Assign Privileges"): (Type.PERMISSION_DENIED,),
    (2004, 1, "Create"): (
        Type.TOKEN_REUSE, Type.LIMIT_EXCEEDED, Type.LOG_INCONSISTENT, Type.DETECTION_RAISE,
    ),
    (2004, 2, "Update"): (Type.DETECTION_ACKNOWLEDGE,),
    (6003, 1, "Create"): (
        Type.CLIENT_CREATE, Type.INVITATION_CREATE, Type.KEY_CREATE, Type.LOG_START, Type.USERS_IMPORT,
    ),
    (6003, 2, "Read"): (
        Type.AUDIT_READ, Type.AUDIT_VERIFY, Type.AUDIT_VERDICT, Type.ACCOUNT_EXPORT, Type.USERS_EXPORT,
    ),
    (6003, 3, "Update"): (Type.KEY_ROTATE,),
    (6003, 4, "Delete"): (
        Type.CLIENT_REVOKE, Type.INVITATION_REVOKE, Type.KEY_DESTROY, Type.AUDIT_PRUNE, Type.AUDIT_ERASE,
    ),
    (6003, OTHER, ""): (
        Type.LIMIT_STORE, Type.MAIL_FAIL, Type.MAIL_RETRY, Type.MAIL_DROP, Type.LOG_COLLAPSED,
        Type.WEBHOOK_FAIL, Type.WEBHOOK_RETRY,
    ),
}
# fmt: on
_ACTIVITY_OF: Final = {str(type_): activity for activity, types in _ACTIVITIES.items() for type_ in types}


_FINDINGS: Final = frozenset({Type.DETECTION_RAISE, Type.DETECTION_ACKNOWLEDGE})


def line(record: Record, proof: Mapping[str, Any] | None) -> str:
    """One line; the proof is `unmapped.proof`."""
    return encode(event(record, proof)) + "\n"


def event(record: Record, proof: Mapping[str, Any] | None) -> dict[str, Any]:
    """The event as OCSF has it."""
    class_uid, activity, name = _activity(record)
    status_id, status = STATUSES[record.outcome]
    unmapped: dict[str, Any] = {"type": record.type}
    found: dict[str, Any] = {
        "time": int(record.time.timestamp() * 1000 + 0.5),
        "metadata": {"version": VERSION, "product": PRODUCT, "uid": record.id, "log_name": "audit"},
        "category_uid": class_uid // 1000,
        "class_uid": class_uid,
        "class_name": _CLASSES[class_uid],
        "activity_id": activity,
        "activity_name": name or record.type,
        "type_uid": class_uid * 100 + activity,
        "severity_id": SEVERITIES[record.severity],
        "status_id": status_id,
        "status": status,
        "message": f"{record.type} {record.outcome}",
        "unmapped": unmapped,
    }
    if record.reason:
        found["status_detail"] = record.reason
    if record.details or record.text:
        unmapped["details"] = record.details | record.text
    if record.subject:
        unmapped["subject"] = record.subject
    if proof:
        unmapped["proof"] = proof
    _add_rest(found, record, class_uid)
    return found


def _activity(record: Record) -> tuple[int, int, str]:
    class_uid, activity, name = _ACTIVITY_OF.get(record.type, (6003, OTHER, ""))
    if (class_uid, activity) == (3002, 6) and record.outcome == "failure":
        return class_uid, 1, "Logon"
    if class_uid == 2004 and record.outcome == "success" and record.type not in _FINDINGS:
        return 6003, OTHER, ""
    return class_uid, activity, name


def _add_rest(found: dict[str, Any], record: Record, class_uid: int) -> None:
    """Who, from where, and what each class has of its own."""
    actor = _user(record.details["actor"]) if "actor" in record.details else None
    person = _user(record.user)
    endpoint = {"ip": record.ip} if record.ip else {"svc_name": "secure-auth"}
    session = {"uid": record.session} if record.session else None
    if class_uid == 2004:
        of = record.details  # a detection is one finding, however often it is told of
        title = f"{record.type} {record.reason or of.get('rule', '')}".strip()
        found["finding_info"] = {"uid": of.get("detection") or record.id, "title": title}
        found["is_alert"] = True
        found["evidences"] = [{"src_endpoint": endpoint, "actor": {"user": actor or person}}]
        _keep(found, record)
        return
    found["src_endpoint"] = endpoint
    if record.user_agent or record.request_id:
        found["http_request"] = _request(record)
    if class_uid == 6003:
        found["api"] = {"operation": record.type}
        found["actor"] = {"user": actor or person} if actor or record.user else {"app_name": "Secure Auth"}
        if session:
            found["actor"]["session"] = session
        return
    found["user"] = person
    if class_uid == 3002:
        _add_authentication(found, record, session)
    elif class_uid == 3003:
        found["privileges"] = [record.details.get("role") or record.reason or "unknown"]
        found |= {"session": session} if session else {}
    elif session or actor:
        found["actor"] = ({"session": session} if session else {}) | ({"user": actor} if actor else {})


def _add_authentication(found: dict[str, Any], record: Record, session: dict[str, Any] | None) -> None:
    found["is_remote"] = True
    found["service"] = {"name": "Secure Auth"}
    method = "password" if record.type == Type.LOGIN_PASSWORD else record.details.get("method")
    if method in FACTORS:
        factor: dict[str, Any] = {"factor_type_id": FACTORS[method]}
        if method == "totp":
            factor["is_totp"] = True
        if method == "recovery_code":
            factor["factor_type"] = "Recovery code"
        found["auth_factors"] = [factor]
    if "amr" in record.details:
        found["is_mfa"] = "mfa" in record.details["amr"]
    if session:
        found["session"] = session
    if "actor" in record.details:
        found["actor"] = {"user": _user(record.details["actor"])}


def _keep(found: dict[str, Any], record: Record) -> None:
    """What a finding has no attribute for."""
    source = {"session": record.session, **_request(record)}
    found["unmapped"] |= {name: value for name, value in source.items() if value}


def _request(record: Record) -> dict[str, str]:
    told = {"uid": record.request_id, "user_agent": record.user_agent}
    return {name: value for name, value in told.items() if value}


def _user(user: str) -> dict[str, Any]:
    return {"uid": user, "type_id": 1} if user else {"name": "unknown", "type_id": 0}
