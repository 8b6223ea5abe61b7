"""mfa/: authenticators and recovery codes."""

from rest_framework.request import Request
from rest_framework.response import Response

from mfa import recovery_codes
from secure_auth import authenticators, factors
from secure_auth.api import answers as shown
from secure_auth.api import cookies
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import DELIVERY
from secure_auth.api.shapes import authenticator_answer, pair_answer
from secure_auth.errors import Code


class BeginBody(Body):
    """A new authenticator; `token` is the mailed one where it is needed."""

    name = Text(max_length=64, default="", allow_blank=True, trim_whitespace=True)
    token = Text(max_length=256, default="", allow_blank=True, write_only=True)


class CodeBody(Body):
    """The first code of a new authenticator."""

    code = Text(max_length=64, write_only=True)


class AuthenticatorsView(ServiceView):
    """GET mfa/."""

    bearer = "access"
    answers = {"GET": (200, shown.Authenticators)}

    def get(self, request: Request) -> Response:
        """What I can prove myself with."""
        user = self.signed.user
        listed = [authenticator_answer(row) for row in factors.confirmed_totp(user.pk)]
        return Response({"authenticators": listed, "recovery_codes_left": recovery_codes.count_left(user.pk)})


class AuthenticatorView(ServiceView):
    """DELETE mfa/{id}/."""

    bearer = "access"
    fresh = True
    answers = {"DELETE": (204, None)}
    problems = (Code.LAST_AUTHENTICATOR,)

    def delete(self, request: Request, authenticator_id: str) -> Response:
        """Remove an authenticator; the last one stays."""
        authenticators.remove_totp(
            user=self.signed.user,
            session=self.signed.session,
            authenticator_id=authenticator_id,
            source=self.source,
        )
        return Response(status=204)


class BeginTotpView(ServiceView):
    """POST mfa/totp/."""

    body_class = BeginBody
    bearer = "grant"
    answers = {"POST": (201, shown.TotpBegun)}
    problems = (Code.INVALID_LINK,)

    def post(self, request: Request) -> Response:
        """Answer the secret, its URI and its QR code, this once."""
        body = self.body()
        begun = authenticators.begin_totp(
            grant=self.grant, name=body["name"], mailed_token=body["token"], source=self.source
        )
        enrolment = begun.enrolment
        answer = {
            "id": begun.id,
            "secret": enrolment.secret,
            "otpauth_uri": enrolment.otpauth_uri,
            "qr_svg": enrolment.qr_svg,
        }
        return Response(answer, status=201)


class ConfirmTotpView(ServiceView):
    """POST mfa/totp/{id}/confirm/."""

    body_class = CodeBody
    bearer = "grant"
    limits_source_itself = True
    answers = {"POST": (200, shown.TotpConfirmed)}
    parameters = (DELIVERY,)
    problems = (Code.INVALID_CODE,)

    def post(self, request: Request, authenticator_id: str) -> Response:
        """Bind the authenticator; completes a first login."""
        confirmed = authenticators.confirm_totp(
            grant=self.grant, authenticator_id=authenticator_id, code=self.body()["code"], source=self.source
        )
        answer = {"recovery_codes": confirmed.recovery_codes}
        if confirmed.completed:
            pair = confirmed.completed.pair
            answer |= pair_answer(pair)
            return cookies.deliver_tokens(request, answer, session_id=pair.session_id, completes_login=True)
        return Response(answer)


class RecoveryCodesView(ServiceView):
    """POST mfa/recovery-codes/."""

    bearer = "access"
    fresh = True
    body_class = Body
    answers = {"POST": (200, shown.RecoveryCodes)}

    def post(self, request: Request) -> Response:
        """Ten new codes; the old ones are dead."""
        if request.data:
            self.body()
        codes = authenticators.replace_recovery_codes(
            user=self.signed.user, session=self.signed.session, source=self.source
        )
        return Response({"recovery_codes": codes})
