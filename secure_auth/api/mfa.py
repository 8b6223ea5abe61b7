"""mfa/: authenticators and recovery codes."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from mfa import recovery_codes
from secure_auth import authenticators, inventory, recovery_sheet
from secure_auth.api import answers as shown
from secure_auth.api import cookies
from secure_auth.api.common import TEXT, Body, ServiceView, Text, wants_text
from secure_auth.api.example_values import SHEET
from secure_auth.api.parameters import DELIVERY
from secure_auth.api.shapes import pair_answer
from secure_auth.errors import Code


class BeginBody(Body):
    """A new authenticator; `token` is the mailed one where it is needed."""

    name = Text(max_length=64, default="", allow_blank=True, trim_whitespace=True)
    token = Text(max_length=256, default="", allow_blank=True, write_only=True)


class NameBody(Body):
    """What its owner calls an authenticator."""

    name = Text(max_length=64, allow_blank=True, trim_whitespace=True)


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
        listed = [vars(one) for one in inventory.list_authenticators(user.pk)]
        return Response({"authenticators": listed, "recovery_codes_left": recovery_codes.count_left(user.pk)})


class AuthenticatorView(ServiceView):
    """PATCH and DELETE mfa/{id}/."""

    body_class = NameBody
    bearer = "access"
    fresh = True
    without_body = ("DELETE",)
    answers = {"PATCH": (200, shown.Authenticator), "DELETE": (204, None)}
    problems_of = {"DELETE": (Code.LAST_AUTHENTICATOR,)}

    def patch(self, request: Request, authenticator_id: str) -> Response:
        """Give an authenticator another name."""
        held = inventory.rename_authenticator(
            grant=self.own_grant,
            authenticator_id=authenticator_id,
            name=self.body()["name"],
            source=self.source,
        )
        return Response(vars(held))

    def delete(self, request: Request, authenticator_id: str) -> Response:
        """Remove an authenticator; the last one stays."""
        inventory.remove_authenticator(
            grant=self.own_grant, authenticator_id=authenticator_id, source=self.source
        )
        return Response(status=204)


class BeginTotpView(ServiceView):
    """POST mfa/totp/."""

    body_class = BeginBody
    bearer = "grant"
    answers = {"POST": (201, shown.TotpBegun)}
    problems = (Code.INVALID_LINK, Code.TOO_MANY_AUTHENTICATORS, Code.TEMPORARILY_LOCKED)

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
    problems = (Code.INVALID_CODE, Code.TOO_MANY_AUTHENTICATORS, Code.TEMPORARILY_LOCKED)

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
    other_media = {"text/plain": SHEET}

    def post(self, request: Request) -> Response | HttpResponse:
        """Ten new codes; the old ones are dead.

        With `Accept: text/plain` they are a file to print or to keep.
        """
        self.optional_body()
        codes = recovery_sheet.replace_recovery_codes(grant=self.own_grant, source=self.source)
        if not wants_text(request):
            return Response({"recovery_codes": codes})
        sheet = HttpResponse(
            recovery_sheet.print_sheet(codes, email=self.signed.user.email), content_type=TEXT
        )
        sheet["Content-Disposition"] = 'attachment; filename="recovery-codes.txt"'
        return sheet
