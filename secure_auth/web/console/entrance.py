"""Who gets into the console: an auditor or admin, not idle, and for actions with a second factor proved just now."""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase

from audit.events import Source
from secure_auth import demands, visits
from secure_auth.access import Signed
from secure_auth.browsers import SAFE_METHODS, is_led_by_another_site
from secure_auth.errors import Problem
from secure_auth.web import guard
from secure_auth.web.console import proving
from secure_auth.web.page import (
    REAUTHENTICATE,
    View,
    asks_for,
    has_role,
    lead_to,
    page,
    render_page,
    signed_in,
)
from secure_auth.web.person import SignedRequest


def console(
    *methods: str,
    role: str = "auditor",
    fresh: bool = False,
    is_use: bool = True,
    is_file: bool = False,
    words: str = "",
) -> Callable[[View], View]:
    """Make a page of the console. `is_use`: whether it counts against the idle limit; what asks by itself does not.

    Every look goes into the log with its query: what another site asks leads to the page without one, before anybody
    signs in for it. Of a file (`is_file`), to the page that offers it. Fields that a form sent empty
    are no part of an address.

    A refused action leads to the proof of a second factor and then to the page that its form was on. One that comes
    with `words`, a field that somebody typed, asks for the proof itself and keeps them.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def entered(request: SignedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if words and (refusal := proving.prove(request, words=words, back=_above(request))):
                return refusal
            signed, source = who(request)
            try:
                visits.enter(signed=signed, source=source, is_use=is_use)
                if fresh:
                    demands.demand_fresh(signed, source=source)
            except Problem as refused:
                if words and request.POST.get(words, "").strip():
                    return proving.ask(request, words=words, back=_above(request), refused=refused)
                return lead_to(REAUTHENTICATE, then=_way_back(request), notice=guard.undone(request))
            return view(request, *args, **kwargs)

        guarded = signed_in(has_role(role)(asks_for(entered, "fresh") if fresh else entered))

        @wraps(guarded)
        def asked(request: SignedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            is_look = request.method in SAFE_METHODS and (is_file or request.GET)
            if is_look and is_led_by_another_site(request):
                return lead_to(_above(request) if is_file else request.path)
            if is_look and not is_file and not all(request.GET.values()):
                return lead_to(with_query(request.path, query_of(request)))
            return guarded(request, *args, **kwargs)

        return page(*methods)(asked)

    return decorate


def _way_back(request: SignedRequest) -> str:
    """The page itself; of an action, that which its path stands below."""
    return request.get_full_path() if request.method in SAFE_METHODS else _above(request)


def _above(request: SignedRequest) -> str:
    return request.path.rstrip("/").rpartition("/")[0] + "/"


def who(request: SignedRequest) -> tuple[Signed, Source]:
    """Whose request this is, and where it comes from."""
    return request.person.signed, request.source


def query_of(request: SignedRequest) -> dict[str, str]:
    """The query by name, without empty fields: a form sends all that it has."""
    return {name: value for name, value in request.GET.dict().items() if value}


def with_query(path: str, query: Mapping[str, str]) -> str:
    """The address of a page with what is asked there, if anything."""
    return f"{path}?{urlencode(query)}" if query else path


def show(
    request: SignedRequest, template: str, context: Mapping[str, object], *, status: int = 200
) -> HttpResponse:
    """A page of web/console/."""
    section = request.path.removeprefix("/console/").partition("/")[0]
    return render_page(request, f"console/{template}", {"section": section, **context}, status=status)


def is_fresh(request: SignedRequest) -> bool:
    """Whether an action would be let through now: a page asks for the proof before somebody has typed a reason."""
    age_seconds = time.time() - who(request)[0].auth_time
    return age_seconds <= settings.REAUTHENTICATION_SECONDS
