"""Every view takes an access token, unless it says otherwise: a view that somebody forgot to protect is protected."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponseBase

from secure_auth.adopting.requests import View, authenticate_request, is_public, refusal, told_apart

GetResponse = Callable[[HttpRequest], HttpResponseBase]
NEEDED = ("secure_auth.middleware.RequestMiddleware", "secure_auth.middleware.SourceLimitMiddleware")


class AccessTokenMiddleware:
    """Refuses a request without a live access token before its view sees it.

    Exempt are views marked `@public`, and the service's own, which judge for themselves. Django's `login_not_required`
    exempts nothing: Django REST framework sets it on each of its views, and Django on its password-only login.
    On a public view no token is looked at: `request.user` is anonymous.
    """

    def __init__(self, get_response: GetResponse) -> None:
        missing = [name for name in NEEDED if name not in settings.MIDDLEWARE]
        if missing:
            raise ImproperlyConfigured(f"AccessTokenMiddleware needs {', '.join(missing)} in MIDDLEWARE")
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nobody, until a token says who."""
        request.user = AnonymousUser()
        return told_apart(request, self.get_response(request))

    def process_view(
        self, request: HttpRequest, view: View, _args: object, _kwargs: object
    ) -> HttpResponseBase | None:
        """Demand the token."""
        if is_public(view) or _is_of_the_service(view):
            return None
        return refusal(request, authenticate_request)


def _is_of_the_service(view: View) -> bool:
    return str(getattr(view, "__module__", "")).partition(".")[0] == "secure_auth"
