"""The same demands for Django REST framework.

They refuse by raising the service's problems, which its EXCEPTION_HANDLER answers; so they stand side by side in
`permission_classes` and are not combined by `|`.
"""

from typing import ClassVar, Self

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from secure_auth.access import Signed
from secure_auth.adopting.requests import authenticate_request, demand_fresh_login, demand_role, is_public
from secure_auth.models import User


class AccessTokenAuthentication(BaseAuthentication):
    """`request.user` and `request.auth`, a `Signed`. A request without a token is refused, unless the view is public.

    So a view whose author forgot the permission classes is not open.
    """

    def authenticate(self, request: Request) -> tuple[User, Signed] | None:
        """Refuse what has no live session."""
        match = request._request.resolver_match
        if match is not None and is_public(match.func):
            return None
        signed = authenticate_request(request._request)
        return signed.user, signed

    def authenticate_header(self, request: Request) -> str:
        """The challenge."""
        return "Bearer"


class FreshLogin(BasePermission):
    """A second factor proved lately (RFC 9470): within REAUTHENTICATION_SECONDS, or `FreshLogin.within(seconds)`."""

    max_age: ClassVar[int] = settings.REAUTHENTICATION_SECONDS
    acr_values: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def within(cls, seconds: int, acr_values: tuple[str, ...] = ()) -> type[Self]:
        """The permission with another age, and with one of `acr_values` where there are any."""
        return type(cls.__name__, (cls,), {"max_age": seconds, "acr_values": acr_values})

    def has_permission(self, request: Request, view: object) -> bool:
        """Refuse what is too old."""
        demand_fresh_login(request._request, self.max_age, self.acr_values)
        return _tell_whose(request)


class HasRole(BasePermission):
    """An account with a role: `HasRole.named("auditor")`. Without a name nobody has it."""

    role: ClassVar[str] = ""

    @classmethod
    def named(cls, role: str) -> type[Self]:
        """The permission for this role."""
        return type(cls.__name__, (cls,), {"role": role})

    def has_permission(self, request: Request, view: object) -> bool:
        """Refuse who lacks it."""
        demand_role(request._request, self.role)
        return _tell_whose(request)


def _tell_whose(request: Request) -> bool:
    """On a public view nobody did."""
    signed = authenticate_request(request._request)
    request.user, request.auth = signed.user, signed
    return True
