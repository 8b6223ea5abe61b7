"""/console/detections/: attacks recognised in the log, and what somebody found when looking into one."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext

from audit.detections import reading
from audit.events import Severity
from audit.vocabulary import DetectionRule
from secure_auth import detections
from secure_auth.web.console.entrance import console, is_fresh, query_of, show, who
from secure_auth.web.forms import NoteForm
from secure_auth.web.page import lead_to
from secure_auth.web.person import SignedRequest


@console("GET")
def listed(request: SignedRequest) -> HttpResponse:
    """A page of detections, newest first."""
    signed, source = who(request)
    query = query_of(request)
    page = detections.list_detections(signed=signed, query=query, source=source)
    filters = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
    context = {
        "detections": in_words(page.results),
        "filters": filters,
        "states": reading.STATES,
        "rules": list(DetectionRule),
        "severities": list(Severity),
        "next": urlencode({**filters, "cursor": page.next}) if page.next else "",
        "previous": urlencode({**filters, "cursor": page.previous}) if page.previous else "",
    }
    return show(request, "detections", context)


@console("GET")
def shown(request: SignedRequest, detection_id: str) -> HttpResponse:
    """One detection with the events that show it."""
    return _show_detection(request, detection_id, NoteForm(request))


def _show_detection(request: SignedRequest, detection_id: str, form: NoteForm) -> HttpResponse:
    signed, source = who(request)
    found = detections.show_detection(signed=signed, detection_id=detection_id, source=source)
    context = {
        "form": form,
        "here": _page_of(detection_id),
        "detection": in_words([found])[0],
        "timeline": detections.list_evidence(found),
        "is_fresh": is_fresh(request),
    }
    return show(request, "detection", context, status=form.status)


def in_words(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Detections as an auditor reads them: title and reason in the language of the page."""
    told = [reading.explain(one["rule"], one["figures"], gettext) for one in found]
    return [{**one, "title": title, "why": why} for one, (title, why) in zip(found, told, strict=True)]


def _page_of(detection_id: str) -> str:
    return f"/console/detections/{detection_id}/"


@console("POST", fresh=True, words="note")
def acknowledge(request: SignedRequest, detection_id: str) -> HttpResponseBase:
    """Note that somebody looked into it."""
    signed, source = who(request)
    form = NoteForm(request)
    with form:
        note = form.fields_sent()["note"]
        detections.acknowledge(signed=signed, detection_id=detection_id, note=note, source=source)
        return lead_to(_page_of(detection_id), notice="acknowledged")
    return _show_detection(request, detection_id, form)
