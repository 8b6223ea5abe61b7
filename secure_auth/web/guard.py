"""Whether a form that was sent is one of ours: made for this browser and this session, and sent from this origin.

The token is a keyed digest over a random cookie of this browser and its session, so that neither another site nor a
sibling of this host can make one (OWASP: signed double submit, bound to the session). Sec-Fetch-Site and Origin must
agree. Pages therefore send `Referrer-Policy: same-origin`: under `no-referrer` a browser sends `Origin: null`.
"""

import secrets
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.http import HttpResponseBase
from django.utils import timezone

from secure_auth import demands, digest_ring, keys
from secure_auth.browsers import (
    FORM_SECONDS,
    SAFE_METHODS,
    is_led_by_another_site,
    is_own_origin,
    read_cookie,
    set_cookie,
)
from secure_auth.errors import Code, Problem
from secure_auth.web import person
from secure_auth.web.person import PageRequest

BROWSER: Final = "__Host-form"
FIELD: Final = "form_token"
LENGTH: Final = 43
FORM_TYPE: Final = "application/x-www-form-urlencoded"


def browser_of(request: PageRequest) -> str:
    """What tells this browser from others, until a day after its last new page; made where there is none yet."""
    known = getattr(request, "browser", "") or read_cookie(request, BROWSER)
    request.browser = known or secrets.token_urlsafe(32)
    return str(request.browser)


def keep_browser(request: PageRequest, response: HttpResponseBase) -> None:
    """Give the browser its cookie, where a form was made for it."""
    browser = getattr(request, "browser", "")
    if browser:
        set_cookie(response, BROWSER, browser, FORM_SECONDS, samesite="Lax")


def form_token(request: PageRequest) -> str:
    """The token that a form of this page must bring back."""
    return keys.digest("form", browser_of(request), _session_of(request))[:LENGTH]


def _session_of(request: PageRequest) -> str:
    return request.person.session.id if request.person else ""


def demand_own_form(request: PageRequest) -> None:
    """Refuse what a form of ours did not send.

    Raises:
        Problem: csrf_failed, recorded once a window; unsupported_media_type.
    """
    if request.content_type != FORM_TYPE:
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE)
    if _is_made_for(request, _session_of(request)) and is_own_origin(request):
        return
    signed = request.person
    who = {"user": signed.user.pk, "session": signed.session.id} if signed else {}
    raise demands.cross_site(source=request.source, **who)


def is_second_click(request: PageRequest) -> bool:
    """Whether the form of a sign-in came again, after it had signed this very browser in a moment ago.

    It is still ours, made before there was a session. No view sees it: it may be led on, and does nothing.
    """
    if request.person is None or request.content_type != FORM_TYPE:
        return False
    age = timezone.now() - request.person.session.created_at
    is_recent = age <= timedelta(seconds=settings.PARTIAL_TOKEN_SECONDS)
    return is_recent and _is_made_for(request, "") and is_own_origin(request)


def is_sent_twice(request: PageRequest) -> bool:
    """Whether the form came with a handle that was replaced since, as the first click of two on it does.

    It is ours, made for the session that the handle names, but proves nothing any more: nobody is signed in by it.
    """
    session_id = read_cookie(request, person.HANDLE).partition(".")[0]
    if request.person is not None or not session_id or request.content_type != FORM_TYPE:
        return False
    return _is_made_for(request, session_id) and is_own_origin(request)


def is_signed_out(request: PageRequest) -> bool:
    """Whether this browser has no handle left, so that there is nothing to end; another site is told nothing."""
    return not read_cookie(request, person.HANDLE) and is_own_origin(request)


def is_at_a_further_name(request: PageRequest) -> bool:
    """Whether the form was opened under a name of ALLOWED_HOSTS that is not ORIGIN's: there it is refused for ever.

    Nothing is done. A proxy that gives us a name of its own is no such case: browsers send ORIGIN then.
    """
    here = f"{request.scheme}://{request.get_host()}"
    ours = request.headers.get("Origin") == here and not is_led_by_another_site(request)
    return ours and not is_own_origin(request)


def undone(request: PageRequest) -> str:
    """The notice of a page that stands between a form and what it asks for: what was sent is lost, and was not done."""
    return "" if request.method in SAFE_METHODS else "not-done-yet"


def _is_made_for(request: PageRequest, session_id: str) -> bool:
    browser, shown = read_cookie(request, BROWSER), request.POST.get(FIELD, "")
    expected = [digest[:LENGTH] for digest in digest_ring.digests("form", browser, session_id)]
    return bool(browser) and digest_ring.is_one_of(shown.encode(), expected)
