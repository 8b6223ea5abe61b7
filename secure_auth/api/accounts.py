"""register/, password/, email/, mfa/reset/ and me/: what a mailed link confirms or cancels, and who am I."""

from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import (
    accounts,
    address_change,
    demands,
    invitations,
    personal,
    recovery,
    registration,
    strength,
)
from secure_auth.api import cookies
from secure_auth.api.answers import Accepted, AddressConfirmed, LoginAnswer, Me, Strength
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import DELIVERY
from secure_auth.api.personal_answers import PersonalData
from secure_auth.api.shapes import login_answer
from secure_auth.errors import Code
from secure_auth.own_data import describe_person


class RegisterBody(Body):
    """A new account."""

    email = Text(max_length=320, required=False, help_text="May be left out beside an invitation.")
    password = Text(write_only=True)
    invitation = Text(
        max_length=256, required=False, write_only=True, help_text="A mailed token: it proves the mailbox."
    )


class ConfirmBody(Body):
    """The mailed token and the password typed at registration."""

    token = Text(max_length=256, write_only=True)
    password = Text(write_only=True)


class ChangePasswordBody(Body):
    """Both passwords."""

    current_password = Text(write_only=True)
    new_password = Text(write_only=True)


class StrengthBody(Body):
    """A password that somebody thinks of, and for which address."""

    password = Text(write_only=True)
    email = Text(max_length=320, default="")


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
    other_answers = {"POST": (200, LoginAnswer)}
    parameters = (DELIVERY,)
    problems = (Code.INVALID_LINK, Code.REGISTRATION_CLOSED)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Where nobody may register, that is all that anybody is told."""
        super().initial(request, *args, **kwargs)
        registration.demand_open(source=self.source)

    def post(self, request: Request) -> Response:
        """Answer 202, whether or not the address is known.

        With an invitation 200, as `login/` does: it proves the mailbox, so this is the first login of a new account.
        """
        body = self.body()
        email, password = body.get("email", ""), body["password"]
        if "invitation" not in body:
            registration.register(email=email, password=password, source=self.source)
            return Response({"status": "accepted"}, status=202)
        proved = invitations.accept(
            token=body["invitation"], email=email, password=password, source=self.source
        )
        return cookies.deliver_login(request, login_answer(proved), login_id=proved.login_id)


class ConfirmView(ServiceView):
    """POST register/confirm/."""

    body_class = ConfirmBody
    answers = {"POST": (200, LoginAnswer)}
    parameters = (DELIVERY,)
    problems = (Code.INVALID_LINK, Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Answer as login/ does: confirming is the first login."""
        proved = registration.confirm_registration(**self.body(), source=self.source)
        return cookies.deliver_login(request, login_answer(proved), login_id=proved.login_id)


class ChangePasswordView(ServiceView):
    """POST password/change/."""

    body_class = ChangePasswordBody
    bearer = "access"
    fresh = True
    opens_before_change = True
    answers = {"POST": (204, None)}
    problems = (Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED)

    def post(self, request: Request) -> Response:
        """Replace the password; all other sessions are over."""
        accounts.change_password(
            user=self.signed.user, session=self.signed.session, **self.body(), source=self.source
        )
        return Response(status=204)


class StrengthView(ServiceView):
    """POST password/strength/."""

    body_class = StrengthBody
    answers = {"POST": (200, Strength)}

    def post(self, request: Request) -> Response:
        """Estimate how soon a password would be guessed, for a page where one is chosen."""
        return Response(asdict(strength.estimate_strength(**self.body())))


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


class DeleteBody(Body):
    """Whoever deletes the account knows its password."""

    current_password = Text(write_only=True)


class MeView(ServiceView):
    """GET and DELETE me/."""

    body_class = DeleteBody
    bearer = "access"
    fresh_methods = ("DELETE",)
    opens_before_change = True
    answers = {"GET": (200, Me), "DELETE": (204, None)}
    problems_of = {
        "DELETE": (Code.INVALID_CREDENTIALS, Code.TEMPORARILY_LOCKED, Code.PASSWORD_CHANGE_REQUIRED)
    }

    def get(self, request: Request) -> Response:
        """Who am I."""
        user = self.signed.user
        required = bool(user.must_change_password)
        return Response(
            {"id": user.pk, "email": user.email, "roles": user.roles, "password_change_required": required}
        )

    def delete(self, request: Request) -> Response:
        """Delete my account for good.

        Sessions, factors, devices and links are gone at once; the personal data of its events in the audit log seconds
        later. The address may register anew. The last admin stays (`validation_failed`).
        """
        demands.demand_settled_password(self.signed, source=self.source)
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
        answer = describe_person(found, current=self.signed.session.id)
        return Response(answer, headers={"Content-Disposition": 'attachment; filename="my-data.json"'})
