"""/console/people/: accounts, and what admins do to one. As over the API: admins only, with a fresh second factor."""

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase

from secure_auth import administration, people, review
from secure_auth.acting import Actor
from secure_auth.web.activity import describe_device
from secure_auth.web.console.entrance import console, query_of, show, who, with_query
from secure_auth.web.forms import ReasonForm
from secure_auth.web.page import lead_to
from secure_auth.web.person import SignedRequest


@console("GET", role="admin", fresh=True)
def listed(request: SignedRequest) -> HttpResponse:
    """Accounts, newest first, or those whose address begins as typed."""
    signed, source = who(request)
    query = query_of(request)
    page = review.list_users(signed=signed, query=query, source=source)
    following = urlencode({**query, "cursor": page.next}) if page.next else ""
    context = {
        "people": page.results,
        "q": query.get("q", ""),
        "next": following,
        "newest": with_query(request.path, {"q": query["q"]} if "q" in query else {})
        if "cursor" in query
        else "",
    }
    return show(request, "people", context)


@console("GET", role="admin", fresh=True)
def shown(request: SignedRequest, user_id: str) -> HttpResponse:
    """One account."""
    return _show_person(request, user_id, ReasonForm(request))


def _show_person(request: SignedRequest, user_id: str, form: ReasonForm) -> HttpResponse:
    signed, source = who(request)
    found = people.show_person(signed=signed, user_id=user_id, source=source)
    context = {
        "form": form,
        "here": _page_of(user_id),
        "found": found,
        "sessions": [(one, describe_device(one.user_agent)) for one in found.sessions],
        "devices": [(one, describe_device(one.user_agent)) for one in found.devices],
        "is_self": found.user.pk == signed.user.pk,
    }
    return show(request, "person", context, status=form.status)


def _page_of(user_id: str) -> str:
    return f"/console/people/{user_id}/"


@console("POST", role="admin", fresh=True, words="reason")
def act(request: SignedRequest, user_id: str, action: str) -> HttpResponseBase:
    """Any of `administration.ACTIONS`, with the reason in the log."""
    form = ReasonForm(request)
    with form:
        reason = form.fields_sent()["reason"]
        return lead_to(_page_of(user_id), notice=_act(request, user_id, action, reason))
    return _show_person(request, user_id, form)


def _act(request: SignedRequest, user_id: str, action: str, reason: str) -> str:
    """Do it; the notice that tells what came of it.

    Raises:
        Problem: validation_failed, where the state of the account forbids it, and those of `administration.act`.
    """
    signed, source = who(request)
    actor = Actor(source=source, user_id=signed.user.pk, session_id=signed.session.id, reason=reason)
    effective_at = administration.act(action, user_id=user_id, actor=actor)
    return f"{action}-waits" if effective_at else f"did-{action}"
