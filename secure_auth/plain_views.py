"""What views share: which methods those outside of the API take, under which name they answer, by which route."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from secure_auth.env import is_loopback
from secure_auth.errors import Code, Problem, service_unavailable
from secure_auth.problem_details import problem_response
from throttling.reservations import StoreUnavailable

SAFE = ("GET", "HEAD")


def safe_methods(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let GET and HEAD through; a refusal is a problem document like any other."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in SAFE:
            try:
                return view(request, *args, **kwargs)
            except (OperationalError, InterfaceError, StoreUnavailable):
                return problem_response(service_unavailable(2), request)
        return problem_response(Problem(Code.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(SAFE)}), request)

    guarded.csrf_exempt = True  # type: ignore[attr-defined] # so that it is this refusal, not one of Django's
    return guarded


def route_of(request: HttpRequest) -> str:
    """The pattern that a request matched, one for each action; empty where a project's own handler matched none."""
    match = request.resolver_match
    return match.route.replace("<action:action>", str(match.kwargs.get("action"))) if match else ""


def at_origin(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Send who asks under another loopback name to ORIGIN: cookies and passkeys belong to one name."""

    @wraps(view)
    def led(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        host, own = request.get_host(), urlsplit(settings.BROWSER_ORIGIN).netloc
        if host != own and not settings.PRODUCTION and is_loopback(f"//{host}"):
            return to_origin(request)
        return view(request, *args, **kwargs)

    return led


def to_origin(request: HttpRequest) -> HttpResponseRedirect:
    """The same address under the one name that cookies and forms belong to."""
    return HttpResponseRedirect(f"{settings.BROWSER_ORIGIN}{request.get_full_path()}")
