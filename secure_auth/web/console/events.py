"""/console/events/: the log, narrowed by clicking, typing and brushing over a chart; taken along; watched live."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from audit.events import EventType, Outcome, Severity
from audit.filters import FILTERS, BadFilter, parse_bound
from audit.summary import BUCKETS, MAX_BUCKETS
from audit.vocabulary import Format
from secure_auth import exporting, review, summary, tailing
from secure_auth.errors import Code, FieldError, Problem, validation_failed
from secure_auth.review import Page
from secure_auth.web import words
from secure_auth.web.console import charts
from secure_auth.web.console.charts import Chart
from secure_auth.web.console.entrance import console, query_of, show, who, with_query
from secure_auth.web.page import lead_to
from secure_auth.web.person import SignedRequest

_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)
PATH: Final = "/console/events/"
ROWS: Final = "30"  # more than a screen shows; each one more is painted later
DAY: Final = timedelta(days=1)
BOUNDS: Final = ("since", "until")
# A page takes it without an offset, which the filters themselves want.
TIME: Final = _("A time in UTC is wanted, like 2026-01-31T09:00, or a date.")
REVERSED: Final = _("This is later than the end: nothing lies between them.")
COUNTED: Final = ("type", "outcome", "severity")  # what the chart can be narrowed by
QUICK: Final = (
    (_("Failed logins"), {"type": EventType.LOGIN_PASSWORD, "outcome": "failure"}),
    (_("Lockouts"), {"type": EventType.ACCOUNT_LOCK}),
    (_("Reused tokens"), {"type": EventType.TOKEN_REUSE}),
    (_("High severity"), {"severity": "high"}),
    (_("Read in the log"), {"type": EventType.AUDIT_READ}),
)


@console("GET")
def events(request: SignedRequest) -> HttpResponseBase:
    """A page of the log, newest first."""
    if wanted := _written_plainly(request):
        return lead_to(wanted)
    signed, source = who(request)
    query = _with_offsets(query_of(request))
    problem: Problem | None = None
    page, chart = Page([], None, None), None
    reached = tailing.end_of_log()  # before the list is read: what comes between is in both, not in neither
    try:
        page = review.list_events(signed=signed, query={"limit": ROWS, **query}, source=source)
        if _is_reversed(query):
            raise validation_failed("since", "reversed", str(REVERSED))
        counted = summary.show_summary(signed=signed, query=_span_of(query), source=source)
        chart = _chart(counted, query)
    except Problem as error:
        if error.code is not Code.VALIDATION_FAILED:
            raise
        problem = error
    filters = {name: value for name, value in query.items() if name in FILTERS}
    context = {
        "events": page.results,
        "next": _paged(filters, page.next),
        "previous": _paged(filters, page.previous),
        "chart": chart,
        "is_narrower": not set(filters) <= {*COUNTED, *BOUNDS},
        "filters": filters,
        "chosen": {name: filters.get(name, "") for name in COUNTED},
        "has_more": not set(filters) <= {*COUNTED, "q"},
        "query": urlencode(filters),
        "reached": reached,
        "active": [(name, value, urlencode(_without(filters, name))) for name, value in filters.items()],
        "brushed": urlencode(_without(filters, *BOUNDS)),
        "faults": _in_words(problem) if problem else {},
        "types": list(EventType),
        "outcomes": list(Outcome),
        "severities": list(Severity),
        "formats": list(Format),
        "quick": [(name, urlencode(wanted)) for name, wanted in QUICK],
    }
    return show(request, "events", context, status=400 if problem else 200)


def _in_words(problem: Problem) -> dict[str, list[str | Promise]]:
    """What is wrong with each filter; in short where the page speaks another language than the filters' judge."""
    is_foreign = get_language() != settings.LANGUAGE_CODE

    def told(name: str, fault: FieldError) -> str | Promise:
        if name in BOUNDS:
            return REVERSED if fault.code == "reversed" else TIME
        return words.describe_fault(fault) if is_foreign else fault.detail

    return {name: [told(name, one) for one in faults] for name, faults in problem.errors.items()}


def _written_plainly(request: SignedRequest) -> str:
    """The address that a click on a value means; empty where the present one is it.

    A form sends what was in force and then, once more, what is to take its place; a bar's span as `span`.
    """
    if "span" not in request.GET and all(len(values) == 1 for _, values in request.GET.lists()):
        return ""
    query = query_of(request)
    if span := query.pop("span", ""):
        query["since"], _, query["until"] = span.partition("/")
    return with_query(PATH, query)


def _without(filters: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in filters.items() if name not in names}


def _with_offsets(query: Mapping[str, str]) -> dict[str, str]:
    """A date field of a browser knows no offset: its time is UTC, as all that pages show."""
    return {name: f"{value}Z" if _LOCAL.fullmatch(value) else value for name, value in query.items()}


def _paged(filters: Mapping[str, str], cursor: str | None) -> str:
    return urlencode({**filters, "cursor": cursor}) if cursor else ""


def _is_reversed(query: Mapping[str, str]) -> bool:
    """Whether both ends are told, the later one first: a chart of any other span would contradict the empty list."""
    since, until = (parse_bound(name, query[name]) if query.get(name) else None for name in BOUNDS)
    return since is not None and until is not None and since >= until


def _span_of(query: Mapping[str, str]) -> dict[str, str]:
    """What to ask the counts for: the span of the filters, or the last day."""
    try:
        bounds = {name: parse_bound(name, query[name]) for name in BOUNDS if name in query}
    except BadFilter:
        bounds = {}  # the events' own question has refused it
    until = bounds.get("until", int(timezone.now().timestamp() * 1000))
    since = bounds.get("since", until - int(DAY.total_seconds() * 1000))
    span = timedelta(milliseconds=max(0, until - since))
    bucket = charts.bucket_for(span)
    asked = {name: query[name] for name in bounds} | {"bucket": bucket}
    longest = timedelta(seconds=BUCKETS[bucket] * (MAX_BUCKETS - 2))
    if since >= until or span > longest or ("until" in bounds and "since" not in bounds):
        return {"bucket": "day"} if "until" not in bounds else {"bucket": "day", "until": query["until"]}
    return asked


def _chart(counted: Mapping[str, Any], query: Mapping[str, str]) -> Chart:
    wanted = {name: query[name] for name in COUNTED if name in query}

    def is_wanted(count: Mapping[str, Any]) -> bool:
        return all(count[name] == value for name, value in wanted.items())

    return charts.draw(counted, is_wanted, lambda it: is_wanted(it) and it["outcome"] == Outcome.FAILURE)


@console("GET", is_file=True)
def export(request: SignedRequest) -> HttpResponseBase:
    """What the filters show, as a file, streamed."""
    signed, source = who(request)
    is_gone = request.META.get("waitress.client_disconnected", lambda: False)
    download = exporting.export_events(
        signed=signed, query=_with_offsets(query_of(request)), source=source, is_gone=is_gone
    )
    response = StreamingHttpResponse(download.body, content_type=download.media_type)
    response["Content-Disposition"] = f'attachment; filename="{download.filename}"'
    return response


@console("POST")
def start_tail(request: SignedRequest) -> HttpResponse:
    """Begin to watch what the filters show."""
    signed, source = who(request)
    filters = {name: value for name, value in query_of(request).items() if name in FILTERS}
    opened = tailing.start_tail(signed=signed, query=filters, source=source)
    return JsonResponse({"id": opened.id, "cursor": opened.cursor})


@console("GET", is_use=False)
def poll_tail(request: SignedRequest, tail_id: str) -> HttpResponse:
    """What came since the last answer. It keeps no idle console open."""
    found = tailing.poll_tail(signed=who(request)[0], tail_id=tail_id, cursor=request.GET.get("cursor", ""))
    return JsonResponse({"results": found.results, "cursor": found.cursor, "behind": found.is_behind})


@console("POST", is_use=False)
def stop_tail(request: SignedRequest, tail_id: str) -> HttpResponse:
    """Stop watching."""
    signed, source = who(request)
    tailing.stop_tail(signed=signed, tail_id=tail_id, source=source)
    return HttpResponse(status=204)
