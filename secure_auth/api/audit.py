"""audit/ and me/activity/: reading the log."""

from urllib.parse import urlencode

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from secure_auth import review
from secure_auth.api.answers import Event, Events
from secure_auth.api.common import ServiceView
from secure_auth.api.parameters import FILTERS, PAGING
from secure_auth.errors import validation_failed
from secure_auth.review import Page


def page_answer(request: Request, page: Page) -> dict[str, object]:
    """A page with the addresses of its neighbours, the filters kept."""
    kept = {name: value for name, value in request.query_params.items() if name != "cursor"}

    def address(cursor: str | None) -> str | None:
        return f"{settings.ORIGIN}{request.path}?{urlencode({**kept, 'cursor': cursor})}" if cursor else None

    return {"results": page.results, "next": address(page.next), "previous": address(page.previous)}


def query_of(request: Request) -> dict[str, str]:
    """The query by name.

    Raises:
        Problem: validation_failed, a name stands twice: one of the two would be ignored silently.
    """
    for name, values in request.query_params.lists():
        if len(values) > 1:
            raise validation_failed(name[:64], "repeated", "This stands more than once.")
    return request.query_params.dict()


class EventsView(ServiceView):
    """GET audit/events/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Events)}
    parameters = (*FILTERS, *PAGING)

    def get(self, request: Request) -> Response:
        """A page of events, newest first."""
        page = review.list_events(signed=self.signed, query=query_of(request), source=self.source)
        return Response(page_answer(request, page))


class EventView(ServiceView):
    """GET audit/events/{id}/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Event)}

    def get(self, request: Request, event_id: str) -> Response:
        """One event."""
        return Response(review.show_event(signed=self.signed, event_id=event_id, source=self.source))


class ActivityView(ServiceView):
    """GET me/activity/."""

    bearer = "access"
    answers = {"GET": (200, Events)}
    parameters = PAGING

    def get(self, request: Request) -> Response:
        """My own security events, newest first."""
        page = review.list_activity(signed=self.signed, query=query_of(request))
        return Response(page_answer(request, page))
