"""Demands of single views. Each stands alone: with AccessTokenMiddleware or without, and under `@public` too.

For synchronous view functions; for a method of a class by Django's `method_decorator`.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase

from secure_auth.adopting.requests import (
    Demand,
    View,
    authenticate_request,
    demand_fresh_login,
    demand_role,
    refusal,
    told_apart,
)

AnyView = TypeVar("AnyView", bound=Callable[..., Any])


def public(view: AnyView) -> AnyView:
    """Exempt a view, function or class, from AccessTokenMiddleware and AccessTokenAuthentication."""
    view.is_public = view  # type: ignore[attr-defined] # by itself: what as_view() copies of a method opens nothing
    return view


def token_required(view: View) -> View:
    """Take an access token of a live session; sets `request.user` and `request.auth_session`."""
    return _demanding(authenticate_request)(view)


def fresh_login_required(*, max_age: int, acr_values: tuple[str, ...] = ()) -> Callable[[View], View]:
    """Take a second factor proved within `max_age` seconds, and one of `acr_values` where there are any (RFC 9470).

    Neither refreshing nor a password makes a login fresh; `reauthenticate/` with a second factor does.
    """
    return _demanding(lambda request: demand_fresh_login(request, max_age, acr_values))


def role_required(role: str) -> Callable[[View], View]:
    """Take an account with this role."""
    return _demanding(lambda request: demand_role(request, role))


def _demanding(demand: Demand) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        if iscoroutinefunction(view):
            raise TypeError("the decorators are for synchronous views")

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            refused = refusal(request, demand)
            return told_apart(request, view(request, *args, **kwargs)) if refused is None else refused

        return guarded

    return decorate
