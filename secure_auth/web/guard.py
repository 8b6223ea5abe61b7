"""Whether a form that was sent is one of ours: made for this browser and this session, and sent from this origin.

The token is a keyed digest over a random cookie of this browser and its session, so that neither another site nor a
sibling of this host can make one (OWASP: signed double submit, bound to the session). Sec-Fetch-Site and Origin must
agree. Pages therefore send `Referrer-Policy: same-origin`: under `no-referrer` a browser sends `Origin: null`.
"""

import secrets
from typing import Final

from django.http import HttpResponseBase

from secure_auth import demands, digest_ring, keys
from secure_auth.browsers import FORM_SECONDS, is_own_origin, read_cookie, set_cookie
from secure_auth.errors import Code, Problem
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
    return keys.digest("form", *_bound_to(browser_of(request), request))[:LENGTH]


def _bound_to(browser: str, request: PageRequest) -> tuple[str, str]:
    person = request.person
    return browser, person.session.id if person else ""


def demand_own_form(request: PageRequest) -> None:
    """Refuse what a form of ours did not send.

    Raises:
        Problem: csrf_failed, recorded once a window; unsupported_media_type.
    """
    if request.content_type != FORM_TYPE:
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE)
    browser, shown = read_cookie(request, BROWSER), request.POST.get(FIELD, "")
    expected = [digest[:LENGTH] for digest in digest_ring.digests("form", *_bound_to(browser, request))]
    is_ours = bool(browser) and digest_ring.is_one_of(shown.encode(), expected)
    if is_ours and is_own_origin(request):
        return
    person = request.person
    who = {"user": person.user.pk, "session": person.session.id} if person else {}
    raise demands.cross_site(source=request.source, **who)
