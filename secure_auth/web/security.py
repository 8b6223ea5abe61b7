"""My security: authenticators, sessions, known devices and recent events, each with what may be done about it."""

from django.http import HttpResponseBase
from django.utils import timezone

from mfa import recovery_codes
from secure_auth import access, devices, inventory, review, sessions
from secure_auth.errors import Code, Problem
from secure_auth.inventory import Held
from secure_auth.models import Session
from secure_auth.web import activity
from secure_auth.web.forms import NameForm, PageForm
from secure_auth.web.page import fresh, highest, lead_to, page, render_form, render_page, signed_in
from secure_auth.web.person import SignedRequest

MOST_LISTED = 50
RECENT = "6"


@signed_in
def show_overview(request: SignedRequest) -> HttpResponseBase:
    """Everything at a glance."""
    person, now = request.person, timezone.now()
    known = devices.live_devices(now).filter(user=person.user).order_by("-created_at")
    live = list(sessions.live_sessions(person.user.pk, now)[: MOST_LISTED + 1])
    recent = review.list_activity(signed=person.signed, query={"limit": RECENT})
    context: dict[str, object] = {
        "authenticators": inventory.list_authenticators(person.user.pk),
        "codes_left": recovery_codes.count_left(person.user.pk),
        "few_codes": recovery_codes.FEW_LEFT,
        "sessions": _with_own(live[:MOST_LISTED], person.session),
        "most_listed": MOST_LISTED if len(live) > MOST_LISTED else 0,
        "devices": known[:MOST_LISTED],
        "recent": [activity.describe_event(event) for event in recent.results],
    }
    return render_page(request, "security", context)


def _with_own(listed: list[Session], own: Session) -> list[Session]:
    """The session of this browser is shown, however many are newer."""
    return listed if any(one.id == own.id for one in listed) else [own, *listed]


@page("GET")
@signed_in
def show_activity(request: SignedRequest) -> HttpResponseBase:
    """What happened to this account, newest first."""
    query = {"cursor": request.GET["cursor"]} if request.GET.get("cursor") else {}
    shown = review.list_activity(signed=request.person.signed, query=query)
    events = [activity.describe_event(event) for event in shown.results]
    return render_page(request, "activity", {"events": events, "older": shown.next, "newer": shown.previous})


@page("GET", "POST")
@signed_in
@fresh
@highest
def remove_authenticator(request: SignedRequest, authenticator_id: str) -> HttpResponseBase:
    """Ask, then remove it; the last one stays."""
    form, person = PageForm(request), request.person
    if form.is_sent:
        with form:
            inventory.remove_authenticator(
                grant=person.grant, authenticator_id=authenticator_id, source=request.source
            )
            return lead_to("/", notice="authenticator-removed")
    found, is_last = _find_own(request, authenticator_id)
    return render_form(request, "remove_authenticator", form, {"authenticator": found, "is_last": is_last})


def _find_own(request: SignedRequest, authenticator_id: str) -> tuple[Held, bool]:
    """One of my authenticators, and whether it is the last.

    Raises:
        Problem: not_found.
    """
    own = inventory.list_authenticators(request.person.user.pk)
    found = next((row for row in own if row.id == authenticator_id), None)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found, len(own) == 1


@page("GET", "POST")
@signed_in
@fresh
@highest
def rename_authenticator(request: SignedRequest, authenticator_id: str) -> HttpResponseBase:
    """Give it another name."""
    form = NameForm(request)
    if form.is_sent:
        with form:
            inventory.rename_authenticator(
                grant=request.person.grant,
                authenticator_id=authenticator_id,
                **form.fields_sent(),
                source=request.source,
            )
            return lead_to("/", notice="authenticator-renamed")
    found, _ = _find_own(request, authenticator_id)
    return render_form(request, "rename_authenticator", form, {"authenticator": found})


@page("POST")
@signed_in
def end_session(request: SignedRequest, session_id: str) -> HttpResponseBase:
    """End one of my sessions."""
    access.end_own_session(
        signed=request.person.signed,
        session_id=session_id,
        source=request.source,
    )
    return lead_to("/", notice="session-over")


@page("POST")
@signed_in
def end_others(request: SignedRequest) -> HttpResponseBase:
    """End all sessions but this one, and logins under way."""
    access.end_other_sessions(signed=request.person.signed, source=request.source)
    return lead_to("/", notice="sessions-over")


@page("POST")
@signed_in
def forget_device(request: SignedRequest, device_id: str) -> HttpResponseBase:
    """Forget a known device of mine."""
    access.forget_device(
        signed=request.person.signed,
        device_id=device_id,
        source=request.source,
    )
    return lead_to("/", notice="device-forgotten")
