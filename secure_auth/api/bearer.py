"""The token that a request bears. Imports no view, so that an authentication class may stand in DRF's settings."""

from django.http import HttpRequest
from rest_framework.request import Request

from secure_auth.errors import missing_token
from secure_auth.tokens import MAX_TOKEN_LENGTH


def bearer_token(request: Request | HttpRequest) -> str:
    """The token of the Authorization header (RFC 6750 section 2.1).

    Raises:
        Problem: invalid_token, there is none.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_LENGTH:
        raise missing_token()
    return token
