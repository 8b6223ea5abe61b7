"""Passkeys: login/webauthn/options/, reauthenticate/webauthn/options/ and mfa/webauthn/."""

from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import inventory, passkeys, second_factor
from secure_auth.api import answers as shown
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.credentials import RegistrationResponse
from secure_auth.api.login import PendingView
from secure_auth.errors import Code


class BindBody(Body):
    """A passkey that was just made, and what its owner calls it."""

    credential = RegistrationResponse(
        write_only=True, help_text="RegistrationResponseJSON of the new passkey."
    )
    name = Text(max_length=64, default="", allow_blank=True, trim_whitespace=True)


class LoginOptionsView(PendingView):
    """POST login/webauthn/options/."""

    body_class = Body
    answers = {"POST": (200, shown.RequestOptions)}
    problems = (Code.NOT_FOUND,)

    def post(self, request: Request) -> Response:
        """Answer what the browser asks a passkey for in the second step."""
        self.optional_body()
        holder = second_factor.of_login(self.pending)
        return Response({"publicKey": passkeys.challenge(holder=holder, source=self.source)})


class ReauthenticationOptionsView(ServiceView):
    """POST reauthenticate/webauthn/options/."""

    body_class = Body
    bearer = "access"
    opens_before_change = True
    answers = {"POST": (200, shown.RequestOptions)}
    problems = (Code.NOT_FOUND,)

    def post(self, request: Request) -> Response:
        """Answer what the browser asks a passkey for at a reauthentication."""
        self.optional_body()
        holder = second_factor.of_session(self.signed.session)
        return Response({"publicKey": passkeys.challenge(holder=holder, source=self.source)})


class CreationOptionsView(ServiceView):
    """POST mfa/webauthn/options/."""

    body_class = Body
    bearer = "access"
    fresh = True
    answers = {"POST": (200, shown.CreationOptions)}
    problems = (Code.TEMPORARILY_LOCKED,)

    def post(self, request: Request) -> Response:
        """Answer what the browser makes a passkey from."""
        self.optional_body()
        return Response({"publicKey": passkeys.begin_passkey(grant=self.own_grant, source=self.source)})


class BindView(ServiceView):
    """POST mfa/webauthn/."""

    body_class = BindBody
    bearer = "access"
    fresh = True
    answers = {"POST": (201, shown.Authenticator)}
    problems = (Code.TEMPORARILY_LOCKED, Code.TOO_MANY_AUTHENTICATORS)

    def post(self, request: Request) -> Response:
        """Bind a passkey."""
        row = passkeys.confirm_passkey(grant=self.own_grant, **self.body(), source=self.source)
        return Response(vars(inventory.describe(row)), status=201)
