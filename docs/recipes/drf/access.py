"""What simplejwt does not check by itself: the header's type, and roles."""

import jwt
from rest_framework.permissions import BasePermission
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.exceptions import TokenError


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
