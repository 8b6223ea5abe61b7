"""What each problem means, the public keys, whom to tell of a fault, and what no other page answers."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import is_valid_path
from django.utils import timezone
from django.utils.cache import get_conditional_response, set_response_etag

from secure_auth import keys
from secure_auth.errors import Code, Problem
from secure_auth.plain_views import safe_methods
from secure_auth.problem_details import problem_response
from secure_auth.web.page import answer_problem, page, render_page
from secure_auth.web.person import PageRequest


@page("GET")
def problems(request: PageRequest) -> HttpResponse:
    """All problems."""
    return render_page(request, "problems", {"codes": list(Code)})


@page("GET")
def problem(request: PageRequest, code: str) -> HttpResponse:
    """What a problem means to a person; the address that every problem document's type names."""
    found = next((one for one in Code if one.slug == code), None)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return render_page(request, "problem", {"code": found})


@safe_methods
def change_password(request: HttpRequest) -> HttpResponse:
    """Where password managers lead people to (W3C, A Well-Known URL for Changing Passwords)."""
    return HttpResponseRedirect("/password/")


@safe_methods
def jwks(request: HttpRequest) -> HttpResponseBase:
    """The public signing keys (RFC 7517), with an ETag for those who ask again."""
    response = JsonResponse(keys.jwks(), content_type="application/jwk-set+json")
    response.headers["Cache-Control"] = f"public, max-age={settings.JWKS_MAX_AGE_SECONDS}"
    etag = set_response_etag(response).headers["ETag"]
    answer = get_conditional_response(request, etag=etag, response=response) or response
    # A 304 too: what it says replaces what a cache keeps (RFC 9111 section 3.2).
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@safe_methods
def related_origins(request: HttpRequest) -> HttpResponse:
    """The origins whose pages may use this service's passkeys (WebAuthn Level 3 section 5.11)."""
    return JsonResponse({"origins": list(settings.WEBAUTHN_ORIGINS)})


@safe_methods
def security_txt(request: HttpRequest) -> HttpResponse:
    """RFC 9116."""
    expires = timezone.now() + timedelta(days=180)
    contact = settings.SECURITY_CONTACT
    lines = [f"Contact: {contact}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}", "Preferred-Languages: en"]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def _refuse(request: HttpRequest, code: Code) -> HttpResponseBase:
    """For a person as a page, for a program as a problem document."""
    answer = answer_problem if _wants_page(request) else problem_response
    return answer(Problem(code), request)


def _wants_page(request: HttpRequest) -> bool:
    """Below /api/ there are only programs."""
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django refused the request before any view: a foreign Host header, a malformed address."""
    return _refuse(request, Code.VALIDATION_FAILED)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's 403."""
    return _refuse(request, Code.PERMISSION_DENIED)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """No such address. Who types that of a page without its last slash is led there."""
    if request.method in ("GET", "HEAD") and _wants_page(request) and is_valid_path(f"{request.path_info}/"):
        return HttpResponseRedirect(request.get_full_path(force_append_slash=True))
    return _refuse(request, Code.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """A fault of ours; the log has it, the client gets its id."""
    return _refuse(request, Code.INTERNAL_ERROR)
