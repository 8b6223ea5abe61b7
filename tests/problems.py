"""What every refusal looks like (RFC 9457), checked in one place."""

import json
from typing import Any

import httpx

STATUS = {
    "validation_failed": 400,
    "invalid_link": 400,
    "invalid_credentials": 401,
    "invalid_code": 401,
    "invalid_token": 401,
    "reauthentication_required": 401,
    "permission_denied": 403,
    "password_change_required": 403,
    "registration_closed": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "last_authenticator": 409,
    "too_many_authenticators": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "temporarily_locked": 429,
    "service_unavailable": 503,
}
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


def problem(response: httpx.Response, *codes: str) -> dict[str, Any]:
    """The problem document of an answer, which must have one of `codes` (any when none is given)."""
    shown = f"{response.request.method} {response.request.url}: {response.status_code} {response.text[:300]}"
    assert response.headers["Content-Type"] == "application/problem+json", shown
    assert "no-store" in response.headers["Cache-Control"], shown
    body = response.json()
    code = body["code"]
    assert not codes or code in codes, shown
    check_document(body, response.status_code)
    assert body["request_id"] == response.headers["X-Request-ID"], shown
    if code in ("rate_limited", "temporarily_locked", "service_unavailable"):
        assert int(response.headers["Retry-After"]) > 0
    if code in ("invalid_token", "reauthentication_required"):
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    if code == "method_not_allowed":
        assert response.headers["Allow"]
    return dict(body)


def check_document(body: dict[str, Any], status: int) -> None:
    """Members, status and code fit each other; `errors` stands in answers to bad input only."""
    code = body["code"]
    told = {"clock_offset_seconds"} & set(body) if code == "invalid_code" else set()
    assert set(body) == MEMBERS | told | ({"errors"} if code == "validation_failed" else set()), body
    assert body["status"] == status == STATUS[code], body
    assert body["type"].endswith(f"/problems/{code}/"), body
    assert body["title"]
    assert body["detail"]
    for faults in body.get("errors", {}).values():
        assert faults
        assert all(set(fault) == {"code", "detail"} for fault in faults), body


def raw_problem(answer: bytes) -> dict[str, Any]:
    """The problem document of an answer read from a socket."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), answer[:300]
    document = dict(json.loads(body))
    check_document(document, int(head.split()[1]))
    return document
