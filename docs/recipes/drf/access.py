"""What simplejwt does not do by itself: the header's type, roles, and keys for which nobody waits in an outage."""

import jwt
from keys import Keys
from rest_framework.permissions import BasePermission
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.state import token_backend

token_backend.jwks_client = Keys(api_settings.JWK_URL, timeout=5)


class AccessToken(tokens.AccessToken):
    """An access token of RFC 9068. The parent verifies signature, issuer, audience, expiry and `token_type`."""

    def __init__(self, token=None, verify=True):
        super().__init__(token, verify)
        if token is not None and jwt.get_unverified_header(token).get("typ") != "at+jwt":
            raise TokenError("Token is of another type")


class IsAuditor(BasePermission):
    """The role is the token's: one taken away is seen with the next token."""

    def has_permission(self, request, view):
        return request.auth is not None and "auditor" in request.auth.get("roles", [])
