"""register/, password/, email/, mfa/reset/ and me/: what a mailed link confirms or cancels, and who am I."""

from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import accounts, address_change, recovery
from secure_auth.api import cookies
from secure_auth.api.answers import Accepted, AddressConfirmed, LoginAnswer, Me
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import DELIVERY
from secure_auth.api.shapes import login_answer
from secure_auth.errors import Code


class RegisterBody(Body):
    """A new account."""

    email = Text(max_length=320)
    password = Text(write_only=True)


class ConfirmBody(Body):
    """The mailed token and the password typed at registration."""

    token = Text(max_length=256, write_only=True)
    password = Text(write_only=True)


class ChangePasswordBody(Body):
    """Both passwords."""

    current_password = Text(write_only=True)
    new_password = Text(write_only=True)


class ResetBody(Body):
    """Whose password is to be reset."""

    email = Text(max_length=320)


class ConfirmResetBody(Body):
    """The mailed token and the new password."""

    token = Text(max_length=256, write_only=True)
    new_password = Text(write_only=True)


class ChangeAddressBody(Body):
    """The password and the address that is wanted."""

    current_password = Text(write_only=True)
    new_email = Text(max_length=320)


class MailedTokenBody(Body):
    """The mailed token."""

    token = Text(max_length=256, write_only=True)


class RegisterView(ServiceView):
    """POST register/."""

    body_class = RegisterBody
    limits_source_itself = True
    answers = {"POST": (202, Accepted)}

    def post(self, request: Request) -> Response:
        """Answer 202, whether or not the address is known."""
        accounts.register(**self.body(), source=self.source)
        return Response({"status": "accepted"}, status=202)


class ConfirmView(ServiceView):
    """POST register/confirm/."""

    body_class = ConfirmBody
    answers = {"POST": (200, LoginAnswer)}
    parameters = (DELIVERY,)
    problems = (Code.INVALID_LINK, Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Answer as login/ does: confirming is the first login."""
        proved = accounts.confirm_registration(**self.body(), source=self.source)
        return cookies.deliver_login(request, login_answer(proved), login_id=proved.login_id)


class ChangePasswordView(ServiceView):
    """POST password/change/."""

    body_class = ChangePasswordBody
    bearer = "access"
    fresh = True
    answers = {"POST": (204, None)}
    problems = (Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Replace the password; all other sessions are over."""
        accounts.change_password(
            user=self.signed.user, session=self.signed.session, **self.body(), source=self.source
        )
        return Response(status=204)


class ResetView(ServiceView):
    """POST password/reset/."""

    body_class = ResetBody
    limits_source_itself = True
    answers = {"POST": (202, Accepted)}

    def post(self, request: Request) -> Response:
        """Answer 202, whether or not the address is known."""
        accounts.request_reset(**self.body(), source=self.source)
        return Response({"status": "accepted"}, status=202)


class ConfirmResetView(ServiceView):
    """POST password/reset/confirm/."""

    body_class = ConfirmResetBody
    answers = {"POST": (204, None)}
    problems = (Code.INVALID_LINK,)

    def post(self, request: Request) -> Response:
        """Set the new password; never signs in."""
        accounts.confirm_reset(**self.body(), source=self.source)
        return Response(status=204)


class ChangeAddressView(ServiceView):
    """POST email/change/."""

    body_class = ChangeAddressBody
    bearer = "access"
    fresh = True
    answers = {"POST": (202, Accepted)}
    problems = (Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Answer 202, whether or not the new address is taken; both mailboxes have to confirm."""
        address_change.request_change(
            user=self.signed.user, session=self.signed.session, **self.body(), source=self.source
        )
        return Response({"status": "accepted"}, status=202)


class ConfirmAddressView(ServiceView):
    """POST email/change/confirm/."""

    body_class = MailedTokenBody
    answers = {"POST": (200, AddressConfirmed)}
    problems = (Code.INVALID_LINK,)

    def post(self, request: Request) -> Response:
        """Confirm the change of address at one end."""
        changed = address_change.confirm_change(**self.body(), source=self.source)
        return Response({"status": "changed" if changed else "waiting"})


class CancelResetView(ServiceView):
    """POST mfa/reset/cancel/."""

    body_class = MailedTokenBody
    answers = {"POST": (204, None)}
    problems = (Code.INVALID_LINK,)

    def post(self, request: Request) -> Response:
        """Cancel the reset of the second factors that waits."""
        recovery.cancel_by_link(**self.body(), source=self.source)
        return Response(status=204)


class MeView(ServiceView):
    """GET me/."""

    bearer = "access"
    answers = {"GET": (200, Me)}

    def get(self, request: Request) -> Response:
        """Who am I."""
        user = self.signed.user
        return Response({"id": user.pk, "email": user.email, "roles": user.roles})
