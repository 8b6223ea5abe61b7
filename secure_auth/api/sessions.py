"""token/, logout/, sessions/ and devices/."""

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import access, devices, refreshing, review
from secure_auth.api import answers as shown
from secure_auth.api import cookies
from secure_auth.api.audit import page_answer, query_of
from secure_auth.api.bearer import Presented
from secure_auth.api.common import Body, ServiceView, Text
from secure_auth.api.parameters import CURSOR, DELIVERY, IDEMPOTENCY_KEY
from secure_auth.api.shapes import listing, pair_answer
from secure_auth.browsers import read_cookie
from secure_auth.errors import Code, validation_failed
from secure_auth.own_data import describe_known_device


class RefreshBody(Body):
    """A refresh token."""

    refresh = Text(
        max_length=None,  # one that is too long is a bad token
        write_only=True,
        required=False,
        help_text="Left out where the refresh token comes as a cookie.",
    )


class TokenBody(Body):
    """An access token."""

    token = Text(max_length=None, write_only=True)


class RefreshView(ServiceView):
    """POST token/refresh/."""

    body_class = RefreshBody
    limits_source_itself = True
    answers = {"POST": (200, shown.TokenPair)}
    problems = (Code.INVALID_TOKEN,)
    parameters = (IDEMPOTENCY_KEY, DELIVERY)

    def post(self, request: Request) -> Response:
        """Answer the successor pair."""
        key = request.headers.get("Idempotency-Key")
        refresh = self.body().get("refresh") or self._refresh_cookie(request)
        pair = refreshing.refresh_tokens(refresh=refresh, idempotency_key=key, source=self.source)
        return cookies.deliver_tokens(request, pair_answer(pair), session_id=pair.session_id)

    def _refresh_cookie(self, request: Request) -> str:
        """The refresh token that a browser sent by itself.

        Raises:
            Problem: validation_failed where there is none, csrf_failed.
        """
        cookie = "" if "Authorization" in request.headers else read_cookie(request, cookies.REFRESH)
        if not cookie:
            raise validation_failed("refresh", "required", "This field is required.")
        owner = refreshing.owner_of_refresh(cookie)
        if owner:
            session, user = owner
            self.demand_own_site(Presented(cookie, by_cookie=True), session, user=user, session=session)
        return cookie


class VerifyTokenView(ServiceView):
    """POST token/verify/."""

    body_class = TokenBody
    answers = {"POST": (200, shown.NOTHING)}
    problems = (Code.INVALID_TOKEN,)

    def post(self, request: Request) -> Response:
        """Answer {} for an access token that this service would take now."""
        access.verify_access(self.body()["token"], source=self.source)
        return Response({})


class LogoutView(ServiceView):
    """POST logout/."""

    body_class = Body
    bearer = "access"
    opens_before_change = True
    answers = {"POST": (204, None)}

    def post(self, request: Request) -> Response:
        """End this session."""
        self.optional_body()
        access.log_out(signed=self.signed, source=self.source)
        return cookies.clear_cookies(request, Response(status=204))


class SessionsView(ServiceView):
    """GET and DELETE sessions/."""

    bearer = "access"
    answers = {"GET": (200, shown.Sessions), "DELETE": (204, None)}
    parameters = (CURSOR,)

    def get(self, request: Request) -> Response:
        """My live sessions, newest first."""
        return Response(
            page_answer(request, review.list_sessions(signed=self.signed, query=query_of(request)))
        )

    def delete(self, request: Request) -> Response:
        """End all others, and logins under way."""
        access.end_other_sessions(signed=self.signed, source=self.source)
        return Response(status=204)


class SessionView(ServiceView):
    """DELETE sessions/{id}/."""

    bearer = "access"
    answers = {"DELETE": (204, None)}

    def delete(self, request: Request, session_id: str) -> Response:
        """End one of my sessions."""
        access.end_own_session(signed=self.signed, session_id=session_id, source=self.source)
        return Response(status=204)


class DevicesView(ServiceView):
    """GET devices/."""

    bearer = "access"
    answers = {"GET": (200, shown.Devices)}

    def get(self, request: Request) -> Response:
        """My known devices."""
        own = devices.live_devices(timezone.now()).filter(user=self.signed.user).order_by("-created_at")[:200]
        return Response(listing([describe_known_device(row) for row in own]))


class DeviceView(ServiceView):
    """DELETE devices/{id}/."""

    bearer = "access"
    answers = {"DELETE": (204, None)}

    def delete(self, request: Request, device_id: str) -> Response:
        """Forget a known device of mine."""
        access.forget_device(signed=self.signed, device_id=device_id, source=self.source)
        return Response(status=204)
