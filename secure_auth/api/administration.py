"""admin/users/: what admins see and do."""

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from audit.append import NewEvent
from secure_auth import administration, review
from secure_auth.administration import Actor
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.errors import Code, Problem
from secure_auth.models import User


class ReasonBody(Body):
    """Why."""

    reason = Text(max_length=500, trim_whitespace=True)


class UsersView(ServiceView):
    """GET admin/users/."""

    bearer = "access"
    role = "admin"
    fresh = True

    def get(self, request: Request) -> Response:
        """All accounts, newest first."""
        cursor = request.query_params.get("cursor", "")
        return Response(review.list_users(signed=self.signed, cursor=cursor, source=self.source))


class ActionView(ServiceView):
    """POST admin/users/{id}/{action}/."""

    bearer = "access"
    role = "admin"
    fresh = True
    body_class = ReasonBody

    def post(self, request: Request, user_id: str, action: str) -> Response:
        """Do it, with the reason in the log."""
        act = administration.ACTIONS.get(action)
        if act is None:
            raise Problem(Code.NOT_FOUND)
        reason = self.body()["reason"]
        actor = Actor(source=self.source, user_id=self.signed.user.pk, reason=reason)
        act(user=administration.find_target(user_id), actor=actor)
        return Response(status=204)
