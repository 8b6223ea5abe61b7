"""Cookie delivery: the tokens of a browser where no script reads them (RFC 6265bis, OWASP session management).

`X-Token-Delivery: cookie` asks for it. Cookies are Secure, HttpOnly and SameSite=Strict under names that bind them to
this host; the refresh token goes to token/ only. What a cookie authenticates and is not safe needs the session's CSRF
token in a header too and comes from this origin: SameSite alone does not stop a sibling of the same site. With an
Authorization header, that alone counts.
"""

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import digest_ring, keys
from secure_auth.browsers import DEVICE, SAFE_METHODS, is_own_origin, read_cookie, set_cookie
from secure_auth.errors import validation_failed

ACCESS: Final = "__Host-access"
REFRESH: Final = "__Secure-refresh"
PARTIAL: Final = "__Host-partial"
CSRF: Final = "__Host-csrf"
CSRF_LENGTH: Final = 43
REFRESH_PATH: Final = "/api/v1/token/"


def wants_cookies(request: Request) -> bool:
    """How the tokens of this request's answer travel.

    What a cookie opened is answered by cookie whatever the header says: no script shall turn cookies into tokens.

    Raises:
        Problem: validation_failed, an unknown delivery.
    """
    wanted = request.headers.get("X-Token-Delivery", "body")
    if wanted not in ("body", "cookie"):
        raise validation_failed("X-Token-Delivery", "invalid", "Not one of: body, cookie.")
    return wanted == "cookie" or getattr(request, "is_opened_by_cookie", False)


def read_device_token(request: Request) -> str:
    """The token of a known device, empty for none."""
    return str(request.headers.get("X-Device-Token") or read_cookie(request, DEVICE))[:128]


def csrf_token(owner_id: str) -> str:
    """The CSRF token of a session, or of a login under way, by its id."""
    return keys.digest("csrf", owner_id)[:CSRF_LENGTH]


def is_forged(request: Request | HttpRequest, owner_id: str) -> bool:
    """Whether an unsafe request that a cookie authenticated may come from another site than ours."""
    if request.method in SAFE_METHODS:
        return False
    shown = request.headers.get("X-CSRF-Token", "").encode()
    expected = [digest[:CSRF_LENGTH] for digest in digest_ring.digests("csrf", owner_id)]
    matches = [digest_ring.is_one_of(part, expected) for part in shown.split(b".")[:2]]
    return not any(matches) or not is_own_origin(request)


def deliver_login(request: Request, answer: dict[str, Any], *, login_id: str) -> Response:
    """The answer to a proved password, its partial token where the client wants it."""
    if not wants_cookies(request):
        return Response(answer)
    response = Response({name: value for name, value in answer.items() if name != "partial_token"})
    set_cookie(response, PARTIAL, answer["partial_token"], answer["expires_in"])
    # A session that is open already keeps its token beside the login's, in case this login is given up.
    before = read_cookie(request, CSRF).split(".")[-1]
    both = ".".join(filter(None, [csrf_token(login_id), before]))
    _set_csrf(response, both)
    return response


def deliver_tokens(
    request: Request, answer: dict[str, Any], *, session_id: str, completes_login: bool = False
) -> Response:
    """An answer that bears tokens of a session, each where the client wants it."""
    if not wants_cookies(request):
        return Response(answer)
    kept = {"access", "refresh", "device_token"}
    response = Response({name: value for name, value in answer.items() if name not in kept})
    set_cookie(response, ACCESS, answer["access"], answer["expires_in"])
    if "refresh" in answer:
        set_cookie(response, REFRESH, answer["refresh"], answer["refresh_expires_in"], path=REFRESH_PATH)
    if "device_token" in answer:
        set_cookie(response, DEVICE, answer["device_token"], settings.DEVICE_SECONDS)
    csrf = csrf_token(session_id)
    if completes_login:
        response.delete_cookie(PARTIAL, samesite="Strict")
    elif read_cookie(request, PARTIAL):
        csrf = f"{read_cookie(request, CSRF).partition('.')[0]}.{csrf}"  # a login under way keeps its own
    _set_csrf(response, csrf)
    return response


def _set_csrf(response: Response, tokens: str) -> None:
    """It outlives whatever it is the proof for; by itself it opens nothing."""
    seconds = max(settings.SESSION_IDLE_SECONDS, settings.PARTIAL_TOKEN_SECONDS)
    set_cookie(response, CSRF, tokens, seconds, readable=True)


def clear_cookies(request: Request, response: Response) -> Response:
    """Let a browser forget the session that its cookies were for; its known device stays."""
    if "Authorization" in request.headers:
        return response
    for name, path in ((ACCESS, "/"), (REFRESH, REFRESH_PATH), (PARTIAL, "/"), (CSRF, "/")):
        if name in request.COOKIES or (name == REFRESH and ACCESS in request.COOKIES):
            response.delete_cookie(name, path=path, samesite="Strict")
    return response
