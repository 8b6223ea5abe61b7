"""register/, password/ and me/."""

from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import accounts, personal
from secure_auth.api import cookies
from secure_auth.api.answers import Accepted, LoginAnswer, Me
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import DELIVERY
from secure_auth.api.personal_answers import PersonalData
from secure_auth.api.shapes import login_answer, personal_answer
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


class DeleteBody(Body):
    """Whoever deletes the account knows its password."""

    current_password = Text(write_only=True)


class MeView(ServiceView):
    """GET and DELETE me/."""

    body_class = DeleteBody
    bearer = "access"
    fresh_methods = ("DELETE",)
    answers = {"GET": (200, Me), "DELETE": (204, None)}
    problems_of = {"DELETE": (Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)}

    def get(self, request: Request) -> Response:
        """Who am I."""
        user = self.signed.user
        return Response({"id": user.pk, "email": user.email, "roles": user.roles})

    def delete(self, request: Request) -> Response:
        """Delete my account for good.

        Sessions, factors, devices and links are gone at once; the personal data of its events in the audit log seconds
        later. The address may register anew. The last admin stays (`validation_failed`).
        """
        personal.delete_account(
            user=self.signed.user, session=self.signed.session, **self.body(), source=self.source
        )
        return cookies.clear_cookies(request, Response(status=204))


class MyDataView(ServiceView):
    """GET me/export/."""

    bearer = "access"
    fresh = True
    answers = {"GET": (200, PersonalData)}

    def get(self, request: Request) -> Response:
        """Everything about me that the service keeps, but secrets.

        The newest 5000 events are in it; `me/activity/` has all. Once a minute.
        """
        found = personal.export_account(signed=self.signed, source=self.source)
        answer = personal_answer(found, current=self.signed.session.id)
        return Response(answer, headers={"Content-Disposition": 'attachment; filename="my-data.json"'})
