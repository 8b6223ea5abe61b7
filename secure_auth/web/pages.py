"""The few pages there are yet: where to begin, what each problem means, the public keys, whom to tell of a fault."""

from datetime import timedelta

from django.conf import settings
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import conditional_page

from secure_auth import keys
from secure_auth.errors import Code, Problem
from secure_auth.plain_views import at_origin, safe_methods
from secure_auth.problem_details import problem_response

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def page(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """A page under the pages' content security policy."""
    response = render(request, f"web/{template}.html", {"product": settings.PRODUCT_NAME, **context})
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@safe_methods
@at_origin
def home(request: HttpRequest) -> HttpResponse:
    """Where to begin."""
    return page(request, "home", {"origin": settings.ORIGIN})


@safe_methods
@at_origin
def problems(request: HttpRequest) -> HttpResponse:
    """All problems."""
    return page(request, "problems", {"codes": list(Code)})


@safe_methods
@at_origin
def problem(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem means to a person; the address that every problem document's type names."""
    found = next((one for one in Code if one.slug == code), None)
    if found is None:
        raise Http404
    return page(request, "problem", {"code": found})


MAILED = {
    "confirm": {
        "title": "Confirm your address",
        "path": "register/confirm/",
        "body": '{"token": "…", "password": "the one typed at registration"}',
        "note": "",
    },
    "invited": {
        "title": "Make your account",
        "path": "register/",
        "body": '{"invitation": "…", "password": "a new one"}',
        "note": "It answers as the first step of a login: go on with an authenticator.",
    },
    "reset": {
        "title": "Reset your password",
        "path": "password/reset/confirm/",
        "body": '{"token": "…", "new_password": "…"}',
        "note": "",
    },
    "enrol": {
        "title": "Set up your authenticator",
        "path": "mfa/totp/",
        "body": '{"token": "…"}',
        "note": "With the header Authorization: Bearer and the partial token of the login that you are in.",
    },
    "address": {
        "title": "Confirm the change of address",
        "path": "email/change/confirm/",
        "body": '{"token": "…"}',
        "note": "The address changes when both mailboxes have confirmed it.",
    },
    "cancel-reset": {
        "title": "Keep your second factor",
        "path": "mfa/reset/cancel/",
        "body": '{"token": "…"}',
        "note": "This cancels the removal of your second factor that an administrator was asked for.",
    },
}


@safe_methods
@at_origin
def mailed(request: HttpRequest, purpose: str) -> HttpResponse:
    """Where a mailed link leads. The token stays in the browser: a fragment is never sent."""
    return page(request, "mailed", {"origin": settings.ORIGIN, **MAILED[purpose]})


@safe_methods
@at_origin
def password(request: HttpRequest) -> HttpResponse:
    """How one changes one's password."""
    return page(request, "password", {"origin": settings.ORIGIN})


@safe_methods
def change_password(request: HttpRequest) -> HttpResponse:
    """Where password managers lead people to (W3C, A Well-Known URL for Changing Passwords)."""
    return HttpResponseRedirect("/password/")


@safe_methods
@conditional_page
def jwks(request: HttpRequest) -> HttpResponse:
    """The public signing keys (RFC 7517), with an ETag for those who ask again."""
    response = JsonResponse(keys.jwks(), content_type="application/jwk-set+json")
    response.headers["Cache-Control"] = f"public, max-age={settings.JWKS_MAX_AGE_SECONDS}"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


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


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django refused the request before any view: a foreign Host header, a malformed address."""
    return problem_response(Problem(Code.VALIDATION_FAILED), request)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's 403."""
    return problem_response(Problem(Code.PERMISSION_DENIED), request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """No such address."""
    return problem_response(Problem(Code.NOT_FOUND), request)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """A fault of ours; the log has it, the client gets its id."""
    return problem_response(Problem(Code.INTERNAL_ERROR), request)
