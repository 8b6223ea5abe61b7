"""login/, login/verify/ and reauthenticate/."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import login
from secure_auth.api import cookies
from secure_auth.api.answers import FreshAccess, LoginAnswer, SessionOpened
from secure_auth.api.bearer import read_token
from secure_auth.api.common import Body, Flag, ServiceView, Text
from secure_auth.api.credentials import AuthenticationResponse
from secure_auth.api.parameters import DELIVERY, DEVICE_TOKEN
from secure_auth.api.shapes import login_answer, pair_answer
from secure_auth.errors import Code
from secure_auth.models import PendingLogin
from secure_auth.second_factor import SecondFactor

METHODS = (("totp", "TOTP code"), ("webauthn", "Passkey"), ("recovery_code", "Recovery code"))
MISSING = serializers.ErrorDetail("This field is required.", code="required")
OF_ANOTHER_METHOD = serializers.ErrorDetail("The method takes no such field.", code="unknown_field")
UNKNOWN_METHOD = f"Not one of: {', '.join(name for name, _ in METHODS)}."


class LoginBody(Body):
    """The first step."""

    email = Text(max_length=320)
    password = Text(write_only=True)


class FactorBody(Body):
    """A second factor as it is shown."""

    method = serializers.ChoiceField(choices=METHODS, error_messages={"invalid_choice": UNKNOWN_METHOD})
    code = Text(
        max_length=64,
        write_only=True,
        required=False,
        help_text="Of an authenticator app, or a recovery code.",
    )
    credential = AuthenticationResponse(
        write_only=True, required=False, help_text="AuthenticationResponseJSON of a passkey."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A method takes its own proof and no other."""
        wanted, other = ("credential", "code") if attrs["method"] == "webauthn" else ("code", "credential")
        if wanted not in attrs:
            raise serializers.ValidationError({wanted: [MISSING]})
        if other in attrs:
            raise serializers.ValidationError({other: [OF_ANOTHER_METHOD]})
        return attrs

    @staticmethod
    def factor(body: dict[str, Any]) -> SecondFactor:
        """What was shown, of a validated body."""
        return SecondFactor(body["method"], body.get("code", ""), body.get("credential", {}))


class VerifyBody(FactorBody):
    """The second step."""

    remember_device = Flag(default=False)


class ReauthenticateBody(FactorBody):
    """A second factor once more."""

    password = Text(default="", write_only=True)


class LoginView(ServiceView):
    """POST login/: the password step."""

    body_class = LoginBody
    limits_source_itself = True
    has_device_lane = True
    answers = {"POST": (200, LoginAnswer)}
    problems = (Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)
    parameters = (DEVICE_TOKEN, DELIVERY)

    def post(self, request: Request) -> Response:
        """Answer a partial token."""
        body = self.body()
        proved = login.prove_password(
            **body, device_token=cookies.read_device_token(request), source=self.source
        )
        return cookies.deliver_login(request, login_answer(proved), login_id=proved.login_id)


class PendingView(ServiceView):
    """What the partial token of a login opens whose second step is to be proved."""

    bearer = "partial"
    pending: PendingLogin

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """The token is judged before the body; the use case judges its login."""
        super().initial(request, *args, **kwargs)
        shown = read_token(request, cookies.PARTIAL)
        self.pending = login.open_second_step(shown.token, source=self.source)
        self.demand_own_site(shown, self.pending.id, user=self.pending.user_id)


class VerifyView(PendingView):
    """POST login/verify/: the second step."""

    body_class = VerifyBody
    limits_source_itself = True
    answers = {"POST": (200, SessionOpened)}
    parameters = (DELIVERY,)
    problems = (Code.INVALID_CODE, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Answer the token pair, and a device token if one was asked for."""
        body = self.body()
        completed = login.prove_second_factor(
            found=self.pending,
            factor=VerifyBody.factor(body),
            remember_device=body["remember_device"],
            source=self.source,
        )
        answer = pair_answer(completed.pair)
        if completed.device_token:
            answer["device_token"] = completed.device_token
        if completed.recovery_codes_left is not None:
            answer["recovery_codes_left"] = completed.recovery_codes_left
        return cookies.deliver_tokens(
            request, answer, session_id=completed.pair.session_id, completes_login=True
        )


class ReauthenticateView(ServiceView):
    """POST reauthenticate/: prove a second factor now (RFC 9470)."""

    body_class = ReauthenticateBody
    bearer = "access"
    opens_before_change = True
    answers = {"POST": (200, FreshAccess)}
    parameters = (DELIVERY,)
    problems = (Code.INVALID_CODE, Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Answer a fresh access token."""
        body = self.body()
        access, expires_in = login.reauthenticate(
            user=self.signed.user,
            session=self.signed.session,
            factor=ReauthenticateBody.factor(body),
            password=body["password"],
            source=self.source,
        )
        answer = {"access": access, "token_type": "Bearer", "expires_in": expires_in}
        return cookies.deliver_tokens(request, answer, session_id=self.signed.session.id)
