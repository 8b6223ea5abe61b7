"""The token that a request bears. Imports no view, so that an authentication class may stand in DRF's settings."""

from dataclasses import dataclass

from django.http import HttpRequest
from rest_framework.request import Request

from secure_auth.browsers import read_cookie
from secure_auth.errors import invalid_token, missing_token
from secure_auth.tokens import MAX_TOKEN_LENGTH


@dataclass(frozen=True)
class Presented:
    """A token as a request shows it, and whether a browser added it by itself."""

    token: str
    by_cookie: bool = False

    def __repr__(self) -> str:
        return f"<Presented by_cookie={self.by_cookie}>"


def read_token(request: Request | HttpRequest, *names: str) -> Presented:
    """The token of the Authorization header (RFC 6750 section 2.1), else of the first of these cookies.

    Raises:
        Problem: invalid_token, there is none.
    """
    if "Authorization" in request.headers:
        scheme, _, token = request.headers["Authorization"].partition(" ")
        shown = Presented(token.lstrip(" ") if scheme.lower() == "bearer" else "")  # 1*SP, says the RFC
    else:
        found = next(filter(None, (read_cookie(request, name) for name in names)), "")
        shown = Presented(found, by_cookie=True)
    if not shown.token:
        raise missing_token()
    if len(shown.token) > MAX_TOKEN_LENGTH:
        raise invalid_token()
    return shown
