"""audit/ and me/activity/: reading the log."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from audit.events import Reason
from audit.vocabulary import View
from secure_auth import exporting, review, summary
from secure_auth.api.common import ServiceView
from secure_auth.api.example_values import EXPORTED, EXPORTED_CEF, EXPORTED_CSV
from secure_auth.api.log_answers import Event, Events, Summary
from secure_auth.api.parameters import EXPORT_PAGING, FILTERS, FORMAT, ORDER, PAGING, PROOF, SPAN
from secure_auth.errors import Problem, validation_failed
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


def asked_of_the_log(view: ServiceView, what: View) -> dict[str, str]:
    """The query by name of a request that reads the log; one that is refused is recorded.

    Raises:
        Problem: as query_of().
    """
    try:
        return query_of(view.request)
    except Problem:
        told, reason = view.request.META["QUERY_STRING"], Reason.INVALID_INPUT
        review.record_reading(what, signed=view.signed, source=view.source, query=told, reason=reason)
        raise


class EventsView(ServiceView):
    """GET audit/events/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Events)}
    parameters = (*FILTERS, *PAGING, ORDER)

    def get(self, request: Request) -> Response:
        """A page of events, newest first."""
        query = asked_of_the_log(self, View.EVENTS)
        page = review.list_events(signed=self.signed, query=query, source=self.source)
        return Response(page_answer(request, page))


class EventView(ServiceView):
    """GET audit/events/{id}/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Event)}

    def get(self, request: Request, event_id: str) -> Response:
        """One event."""
        return Response(review.show_event(signed=self.signed, event_id=event_id, source=self.source))


class ExportView(ServiceView):
    """GET audit/export/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, OpenApiTypes.STR)}
    media_type = "application/x-ndjson"
    example = EXPORTED
    other_media = {"text/csv": EXPORTED_CSV, "text/plain": EXPORTED_CEF}
    parameters = (FORMAT, PROOF, *FILTERS, *EXPORT_PAGING)

    def get(self, request: Request) -> StreamingHttpResponse:
        """The events that match, in a format of your choice, streamed.

        Newest first, or in tree order with `order=index`. The media type is that of the format:
        `application/x-ndjson`, `text/csv` or `text/plain` (CEF). An answer without its last chunk is not complete.
        """
        is_gone = request.META.get("waitress.client_disconnected", lambda: False)
        query = asked_of_the_log(self, View.EXPORT)
        download = exporting.export_events(
            signed=self.signed, query=query, source=self.source, is_gone=is_gone
        )
        response = StreamingHttpResponse(download.body, content_type=download.media_type)
        response["Content-Disposition"] = f'attachment; filename="{download.filename}"'
        return response


class SummaryView(ServiceView):
    """GET audit/summary/."""

    bearer = "access"
    role = "auditor"
    answers = {"GET": (200, Summary)}
    parameters = SPAN

    def get(self, request: Request) -> Response:
        """Counts of events for charts, by bucket of time.

        Whole buckets around `since` and `until` are counted; without `since` the last hour, day or thirty days.
        """
        query = asked_of_the_log(self, View.SUMMARY)
        found = summary.show_summary(signed=self.signed, query=query, source=self.source)
        return Response(found)


class ActivityView(ServiceView):
    """GET me/activity/."""

    bearer = "access"
    answers = {"GET": (200, Events)}
    parameters = (*PAGING, ORDER)

    def get(self, request: Request) -> Response:
        """My own security events, newest first."""
        page = review.list_activity(signed=self.signed, query=query_of(request))
        return Response(page_answer(request, page))
