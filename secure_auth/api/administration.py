"""admin/users/: what admins see and do."""

from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import administration, review
from secure_auth.acting import Actor
from secure_auth.api.answers import Accounts
from secure_auth.api.audit import page_answer, query_of
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import ACTION, CURSOR


class ReasonBody(Body):
    """Why."""

    reason = Text(max_length=500, trim_whitespace=True)


class UsersView(ServiceView):
    """GET admin/users/."""

    bearer = "access"
    role = "admin"
    fresh = True
    answers = {"GET": (200, Accounts)}
    parameters = (CURSOR,)

    def get(self, request: Request) -> Response:
        """All accounts, newest first."""
        page = review.list_users(signed=self.signed, query=query_of(request), source=self.source)
        return Response(page_answer(request, page))


class ActionView(ServiceView):
    """POST admin/users/{id}/{action}/."""

    bearer = "access"
    role = "admin"
    fresh = True
    body_class = ReasonBody
    answers = {"POST": (204, None)}
    parameters = (ACTION,)

    def post(self, request: Request, user_id: str, action: str) -> Response:
        """Do it, with the reason in the log."""
        actor = Actor(
            source=self.source,
            user_id=self.signed.user.pk,
            session_id=self.signed.session.id,
            reason=self.body()["reason"],
        )
        administration.act(action, user_id=user_id, actor=actor)
        return Response(status=204)
