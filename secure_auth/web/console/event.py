"""/console/events/{id}/: one event, what surrounds it, and its proof, which the page judges by itself."""

import json
from typing import Any, Final
from urllib.parse import quote

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from secure_auth import dossier, evidence
from secure_auth.web.console.entrance import console, show, who
from secure_auth.web.person import SignedRequest

FIELDS: Final = (
    ("id", _("Id"), ""),
    ("time", _("Time (UTC)"), ""),
    ("type", _("Type"), "type"),
    ("outcome", _("Outcome"), "outcome"),
    ("reason", _("Reason"), "reason"),
    ("severity", _("Severity"), "severity"),
    ("user", _("Account"), "user"),
    ("subject", _("Unknown account (hash)"), "q"),
    ("session", _("Session"), "session"),
    ("source.ip", _("Address"), "ip"),
    ("source.user_agent", _("User agent"), ""),
    ("source.request_id", _("Request"), "request_id"),
)
# What commitments call another name than the fields of the page do.
REMOVABLE: Final = {"ip": "source.ip", "user_agent": "source.user_agent"}
OF_DETAIL: Final = "text."
# Where the ids of details lead; what has no page and no filter leads nowhere.
LEADS: Final = {
    "actor": "/console/events/?user={}",
    "event": "/console/events/{}/",
    "first_event": "/console/events/{}/",
    "detection": "/console/detections/{}/",
}
TEXT, JSON = "text/plain; charset=utf-8", "application/json"


@console("GET")
def event(request: SignedRequest, event_id: str) -> HttpResponse:
    """One event."""
    signed, source = who(request)
    found = dossier.show_dossier(signed=signed, event_id=event_id, source=source)
    proof = json.dumps(found.proof.as_dict(), indent=1) if found.proof else ""
    removed = found.proof.erased if found.proof else []
    context = {
        "event": found.event,
        "fields": _fields(found.event, {REMOVABLE.get(name, name) for name in removed}),
        "removed_details": [name.removeprefix(OF_DETAIL) for name in removed if name.startswith(OF_DETAIL)],
        "details": [_detail(name, value) for name, value in found.event["details"].items()],
        "timeline": found.timeline,
        "proof": found.proof,
        "proof_text": proof,
        "vkeys": found.vkeys,
    }
    return show(request, "event", context)


def _fields(event: dict[str, Any], removed: set[str]) -> list[tuple[str, Promise, str, str, bool]]:
    """Name, label, value and filter of each, and whether it was removed."""
    source = {f"source.{name}": value for name, value in event["source"].items()}
    values = {**event, **source}
    return [(name, label, values[name], key, name in removed) for name, label, key in FIELDS]


def _detail(name: str, value: Any) -> tuple[str, str, str, str]:
    """Name, value for people, value as the proof has it, and where it leads."""
    written = json.dumps(value)
    listed = ", ".join(map(str, value)) if isinstance(value, list) else written
    shown = value if isinstance(value, str) else listed
    return name, shown, written, LEADS[name].format(quote(str(value))) if name in LEADS else ""


@console("GET", is_file=True)
def proof(request: SignedRequest, event_id: str) -> HttpResponse:
    """The proof as a file: JSON, or with `form=text` a C2SP tlog-proof."""
    signed, source = who(request)
    found = evidence.show_proof(signed=signed, event_id=event_id, source=source)
    is_text = request.GET.get("form") == "text"
    content = found.as_text() if is_text else json.dumps(found.as_dict(), indent=1) + "\n"
    response = HttpResponse(content, content_type=TEXT if is_text else JSON)
    suffix = "tlog-proof" if is_text else "json"
    response["Content-Disposition"] = f'attachment; filename="proof-{event_id}.{suffix}"'
    return response
