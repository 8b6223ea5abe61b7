"""admin/: what admins see and do."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import administration, invitations, review
from secure_auth.acting import Actor, Refused
from secure_auth.api.answers import Accounts, Invitation, Invitations
from secure_auth.api.audit import page_answer, query_of
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import ACTION, CURSOR, USER_QUERY
from secure_auth.errors import Code, Problem

INVITED_ROLES = (("none", "None"), ("auditor", "Auditor"))  # an admin is invited by command only


class ReasonBody(Body):
    """Why."""

    reason = Text(max_length=500, trim_whitespace=True)


class InvitationBody(ReasonBody):
    """Whom to invite, to be what, and why."""

    email = Text(max_length=320)
    role = serializers.ChoiceField(
        choices=INVITED_ROLES, default="none", error_messages={"invalid_choice": "Not one of: none, auditor."}
    )


class AdminView(ServiceView):
    """What a fresh login of an admin opens."""

    bearer = "access"
    role = "admin"
    fresh = True

    def actor(self, reason: str = "") -> Actor:
        """Who acts, and why."""
        user, session = self.signed.user, self.signed.session
        return Actor(source=self.source, user_id=user.pk, session_id=session.id, reason=reason)


class UsersView(AdminView):
    """GET admin/users/."""

    answers = {"GET": (200, Accounts)}
    parameters = (USER_QUERY, CURSOR)

    def get(self, request: Request) -> Response:
        """All accounts, newest first."""
        page = review.list_users(signed=self.signed, query=query_of(request), source=self.source)
        return Response(page_answer(request, page))


class ActionView(AdminView):
    """POST admin/users/{id}/{action}/."""

    body_class = ReasonBody
    answers = {"POST": (204, None)}
    parameters = (ACTION,)

    def post(self, request: Request, user_id: str, action: str) -> Response:
        """Do it, with the reason in the log."""
        administration.act(action, user_id=user_id, actor=self.actor(self.body()["reason"]))
        return Response(status=204)


class InvitationsView(AdminView):
    """GET and POST admin/invitations/."""

    body_class = InvitationBody
    answers = {"GET": (200, Invitations), "POST": (201, Invitation)}
    parameters = (CURSOR,)

    def get(self, request: Request) -> Response:
        """Invitations, newest first."""
        page = review.list_invitations(signed=self.signed, query=query_of(request), source=self.source)
        return Response(page_answer(request, page))

    def post(self, request: Request) -> Response:
        """Mail somebody the right to make an account.

        An address that has an account is answered alike, and gets no mail.
        """
        body = self.body()
        role = "" if body["role"] == "none" else body["role"]
        try:
            made = invitations.invite(email=body["email"], role=role, actor=self.actor(body["reason"]))
        except Refused as error:
            raise Problem(Code.VALIDATION_FAILED, detail=f"{str(error).capitalize()}.") from error
        return Response(review.shown_invitation(made), status=201)


class InvitationView(AdminView):
    """DELETE admin/invitations/{id}/."""

    answers = {"DELETE": (204, None)}

    def delete(self, request: Request, invitation_id: str) -> Response:
        """Take an open invitation back."""
        try:
            invitations.revoke(invitation_id=invitation_id, actor=self.actor())
        except Refused as error:
            raise Problem(Code.NOT_FOUND) from error
        return Response(status=204)
