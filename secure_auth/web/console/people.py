"""/console/people/: accounts, and what admins do to one. As over the API: admins only, with a fresh second factor."""

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase

from secure_auth import administration, people, review
from secure_auth.acting import Actor
from secure_auth.agents import describe_agent
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.web.console.entrance import console, query_of, show, who
from secure_auth.web.page import lead_to
from secure_auth.web.person import SignedRequest

LONGEST_REASON = 500


@console("GET", role="admin", fresh=True)
def listed(request: SignedRequest) -> HttpResponse:
    """Accounts, newest first, or those whose address begins as typed."""
    signed, source = who(request)
    query = query_of(request)
    page = review.list_users(signed=signed, query=query, source=source)
    following = urlencode({"q": query.get("q", ""), "cursor": page.next}) if page.next else ""
    return show(request, "people", {"people": page.results, "q": query.get("q", ""), "next": following})


@console("GET", role="admin", fresh=True)
def shown(request: SignedRequest, user_id: str) -> HttpResponse:
    """One account."""
    signed, source = who(request)
    found = people.show_person(signed=signed, user_id=user_id, source=source)
    context = {
        "found": found,
        "sessions": [(one, describe_agent(one.user_agent).words) for one in found.sessions],
        "devices": [(one, describe_agent(one.user_agent).words) for one in found.devices],
        "is_self": found.user.pk == signed.user.pk,
        "longest_reason": LONGEST_REASON,
    }
    return show(request, "person", context)


@console("POST", role="admin", fresh=True)
def act(request: SignedRequest, user_id: str, action: str) -> HttpResponseBase:
    """Unlock, end sessions, reset the second factor, disable or enable, with the reason in the log."""
    signed, source = who(request)
    reason = request.POST.get("reason", "").strip()
    if not reason or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise validation_failed("reason", "invalid", f"1 to {LONGEST_REASON} characters are needed.")
    actor = Actor(source=source, user_id=signed.user.pk, session_id=signed.session.id, reason=reason)
    back = f"/console/people/{user_id}/"
    try:
        administration.act(action, user_id=user_id, actor=actor)
    except Problem as problem:
        if problem.code is not Code.VALIDATION_FAILED:
            raise
        return lead_to(back, notice="not-done")
    return lead_to(back, notice=f"did-{action}")
