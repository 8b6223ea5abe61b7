"""token/introspect/ and token/revoke/, in the words of their RFCs: form or JSON in, OAuth errors out."""

import base64
import binascii
from typing import Any, ClassVar
from urllib.parse import unquote_plus

from rest_framework import serializers
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import clients, introspection
from secure_auth.api import answers as shown
from secure_auth.api.common import ServiceView, Text
from secure_auth.api.parsers import StrictFormParser, StrictJSONParser
from secure_auth.clients import UnknownClient
from secure_auth.errors import Code, Problem
from secure_auth.models import Client

CHALLENGE = {"WWW-Authenticate": 'Basic realm="clients", charset="UTF-8"'}


class OAuthError(Exception):
    """An error of RFC 6749 section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.body = {"error": error, "error_description": description}
        self.status = status


class OAuthBody(serializers.Serializer):
    """A request of OAuth: unknown parameters are passed over (RFC 6749 section 3.1)."""

    token = Text(max_length=None, write_only=True)
    token_type_hint = Text(
        required=False,
        allow_blank=True,
        max_length=None,
        help_text="Not needed: a token says itself what it is.",
    )


class IntrospectBody(OAuthBody):
    """The token, and the client's credentials where they do not come by HTTP Basic."""

    client_id = Text(required=False, allow_blank=True)
    client_secret = Text(required=False, allow_blank=True, write_only=True)


class OAuthView(ServiceView):
    """A view whose refusals of the body and of the client are OAuth's; all others are problem documents."""

    body_class: ClassVar[Any]
    parser_classes = (StrictFormParser, StrictJSONParser)
    oauth_errors: ClassVar[tuple[int, ...]] = (400,)

    def handle_exception(self, exc: Exception) -> Response:
        """RFC 6749 section 5.2."""
        if isinstance(exc, ParseError | ValidationError):
            exc = OAuthError("invalid_request", "A parameter is missing, malformed or repeated.")
        elif isinstance(exc, UnknownClient):
            exc = OAuthError("invalid_client", "The client's credentials are missing or wrong.", 401)
        elif isinstance(exc, UnsupportedMediaType):
            exc = Problem(
                Code.UNSUPPORTED_MEDIA_TYPE, "Send a form (application/x-www-form-urlencoded) or JSON."
            )
        if isinstance(exc, OAuthError):
            headers = CHALLENGE if exc.status == 401 else None
            return Response(exc.body, status=exc.status, headers=headers)
        return super().handle_exception(exc)


class RevokeView(OAuthView):
    """POST token/revoke/ (RFC 7009)."""

    body_class = OAuthBody
    answers = {"POST": (200, shown.NOTHING)}

    def post(self, request: Request) -> Response:
        """End what a token opens. 200 also for a token that opens nothing.

        Takes refresh, access and partial tokens: the session ends, or the login under way.
        """
        introspection.revoke_token(self.body()["token"], source=self.source)
        return Response({})


class IntrospectView(OAuthView):
    """POST token/introspect/ (RFC 7662)."""

    body_class = IntrospectBody
    bearer = "client"
    oauth_errors = (400, 401)
    answers = {"POST": (200, shown.Introspection)}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The client is judged before the body where it shows itself by HTTP Basic."""
        super().initial(request, *args, **kwargs)
        self.client: Client | None = None
        if "Authorization" in request.headers:
            self.client = clients.authenticate_client(*_basic_credentials(request), source=self.source)

    def post(self, request: Request) -> Response:
        """Whether an access token is live, and what it says.

        The client's id and secret come by HTTP Basic, or as `client_id` and `client_secret` in the body.
        """
        try:
            body = self.body()
        except ValidationError:
            has_secret = isinstance(request.data, dict) and request.data.get("client_secret")
            if self.client is None and not has_secret:  # who asks comes before what is asked
                clients.authenticate_client("", "", source=self.source)
            raise
        if self.client and (
            body.get("client_secret") or (body.get("client_id") or self.client.id) != self.client.id
        ):
            raise OAuthError("invalid_request", "The client shows itself in more than one way.")
        client = self.client or clients.authenticate_client(
            body.get("client_id", ""), body.get("client_secret", ""), source=self.source
        )
        answer = introspection.introspect_token(body["token"], client=client, source=self.source)
        return Response(answer)


def _basic_credentials(request: Request) -> tuple[str, str]:
    """RFC 7617, with both parts form-encoded as RFC 6749 section 2.3.1 wants; empty for anything else."""
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    try:
        pair = (
            base64.b64decode(encoded.lstrip(" "), validate=True).decode() if scheme.lower() == "basic" else ""
        )
    except (binascii.Error, ValueError):
        pair = ""
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)
