"""Whose request this is, and the one way in which it is refused.

Promises: the session is read from the database once in every request and never kept for another, so a session that
ended opens nothing from the next request on. Whatever goes wrong while a demand is judged refuses the request.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers

from audit.events import Source
from secure_auth import access, demands
from secure_auth.access import Signed
from secure_auth.api import cookies
from secure_auth.api.bearer import read_token
from secure_auth.api.problems import as_problem
from secure_auth.plain_views import route_of
from secure_auth.problem_details import problem_response

View = Callable[..., Any]
Demand = Callable[[HttpRequest], object]


def source_of(request: HttpRequest) -> Source:
    """The source that RequestMiddleware found."""
    source: Source = request.source  # type: ignore[attr-defined]
    return source


def authenticate_request(request: HttpRequest) -> Signed:
    """Verify the access token, of the header or the cookie; sets `request.user` and `request.auth_session`.

    Raises:
        Problem: invalid_token, csrf_failed, password_change_required.
    """
    signed: Signed | None = getattr(request, "signed", None)
    if signed is None:
        source, shown = source_of(request), read_token(request, cookies.ACCESS)
        signed = access.authenticate_access(shown.token, source=source)
        if shown.by_cookie and cookies.is_forged(request, signed.session.id):
            raise demands.cross_site(source=source, user=signed.user.pk, session=signed.session.id)
        demands.demand_settled_password(signed, source=source)
        request.user = signed.user
        request.signed, request.auth_session = signed, signed.session  # type: ignore[attr-defined]
    return signed


def demand_fresh_login(request: HttpRequest, max_age: int, acr_values: tuple[str, ...] = ()) -> None:
    """A second factor proved within `max_age` seconds, and one of `acr_values` where there are any (RFC 9470).

    Raises:
        Problem: invalid_token, reauthentication_required.
    """
    signed = authenticate_request(request)
    demands.demand_fresh(signed, source=source_of(request), max_age=max_age, acr_values=acr_values)


def demand_role(request: HttpRequest, role: str) -> None:
    """An account with this role.

    Raises:
        Problem: invalid_token, permission_denied.
    """
    signed, route = authenticate_request(request), route_of(request)
    demands.demand_role(signed, role, source=source_of(request), path=request.path, route=route)


def refusal(request: HttpRequest, demand: Demand) -> HttpResponseBase | None:
    """The problem document of a demand that the request does not meet; None when it does."""
    try:
        demand(request)
    except Exception as error:
        problem = as_problem(error)
        if problem is None:
            raise
        return problem_response(problem, request)
    return None


def told_apart(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The answer, which no cache gives to another token than the one that opened the view."""
    if hasattr(request, "signed"):
        patch_vary_headers(response, ("Authorization", "Cookie"))
    return response


def is_public(view: View) -> bool:
    """Whether `@public` stands on this very view: a class does not inherit it, so no subclass is open by accident."""
    if getattr(view, "is_public", None) is view:
        return True
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if view_class is None:
        return hasattr(view, "is_public")
    dispatch = vars(view_class).get("dispatch")
    return "is_public" in vars(view_class) or hasattr(dispatch, "is_public")
