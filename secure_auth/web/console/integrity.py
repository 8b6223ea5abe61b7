"""/console/integrity/: checkpoints, witnesses and keys of the log, and its verification with progress."""

from django.http import HttpResponse, HttpResponseBase, JsonResponse

from secure_auth import integrity, verifications
from secure_auth.errors import Code, Problem
from secure_auth.web.console.entrance import console, is_fresh, show, who
from secure_auth.web.page import lead_to
from secure_auth.web.person import SignedRequest

PATH = "/console/integrity/"


@console("GET")
def shown(request: SignedRequest) -> HttpResponse:
    """How the log stands."""
    signed, source = who(request)
    found = integrity.show_integrity(signed=signed, source=source)
    return show(request, "integrity", {"found": found, "is_fresh": is_fresh(request)})


@console("POST", fresh=True)
def verify(request: SignedRequest) -> HttpResponseBase:
    """Ask for a verification of the whole log; where one is under way, show that."""
    signed, source = who(request)
    try:
        verifications.ask(signed=signed, source=source)
    except Problem as problem:
        if problem.code is not Code.SERVICE_UNAVAILABLE:
            raise
        return lead_to(PATH, notice="verification-under-way")
    return lead_to(PATH, notice="verification-asked")


@console("GET", is_use=False)
def progress(request: SignedRequest) -> HttpResponse:
    """How far the newest verification has come."""
    signed, source = who(request)
    newest = integrity.show_progress(signed=signed, source=source)
    if newest is None:
        raise Problem(Code.NOT_FOUND)
    return JsonResponse(
        {"id": newest.pk, "open": bool(newest.is_open), "done": newest.done, "total": newest.total}
    )
