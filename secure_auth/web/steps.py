"""Between the two steps on the pages: the partial token of this browser's login, in a cookie that no script reads.

The API does not know the cookie. It lives as long as the partial token, and goes with the session's opening.
"""

from datetime import timedelta
from functools import wraps
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponseBase, HttpResponseRedirect
from django.utils import timezone

from secure_auth import login, pending
from secure_auth.browsers import DEVICE, read_cookie, set_cookie
from secure_auth.errors import Code, Problem, invalid_token
from secure_auth.grants import Grant
from secure_auth.models import PendingLogin
from secure_auth.pending import LoginCompleted, PasswordProved
from secure_auth.web import factor
from secure_auth.web.forms import PageForm
from secure_auth.web.page import (
    SIGN_IN,
    View,
    asks_for,
    fresh,
    highest,
    lead_to,
    next_path,
    render_page,
    signed_in,
)
from secure_auth.web.person import PageRequest, keep_signed_in

LOGIN: Final = "__Host-login"
SECOND_STEP: Final = "/sign-in/code/"
ENROL: Final = "/enrol/"
MAILED: Final = "mailed"  # in the query, where pages.js saw a mailed token
SENT_TWICE: Final = "login-sent-twice"  # a notice
SECOND_CLICK: Final = timedelta(seconds=30)


class LoginRequest(PageRequest):
    """A request in the middle of a login."""

    login: PendingLogin


class GrantRequest(PageRequest):
    """A request of somebody who may bind an authenticator."""

    grant: Grant


def first_login(view: View) -> View:
    """A page where the first login of an account begins, or goes on by a mailed link: not in a browser in which
    somebody is signed in.

    There the enrolment would be that of who is signed in, and the newcomer's app would open a stranger's account. The
    link is not used up.
    """

    @wraps(view)
    def guarded(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.person is None:
            return view(request, *args, **kwargs)
        if request.method == "POST":
            return lead_to(request.get_full_path())
        return render_page(request, "sign_out_first")

    return guarded


def first_login_by_mail(view: View) -> View:
    """As first_login(), where a mail led here; else the page serves who is signed in as well.

    The address of the mail does not tell, only what stands behind its #, which scripts alone see.
    """
    guarded_by_mail = first_login(view)

    @wraps(view)
    def guarded(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return (guarded_by_mail if MAILED in request.GET else view)(request, *args, **kwargs)

    return guarded


def is_begun(request: PageRequest, form: PageForm) -> bool:
    """Whether a link is used because this very browser began a first login with one just now, as by a second click."""
    if form.problem is None or form.problem.code is not Code.INVALID_LINK or not read_cookie(request, LOGIN):
        return False
    try:
        begun = _first_login(request).login
    except Problem:
        return False
    return begun is not None and timezone.now() - begun.created_at <= SECOND_CLICK


def begin_second_step(proved: PasswordProved, *, then: str) -> HttpResponseRedirect:
    """On to the second step, or to the enrolment of a first authenticator."""
    enrols = proved.next == PendingLogin.Next.ENROLL
    response = lead_to(ENROL if enrols else SECOND_STEP, then=then)
    set_cookie(response, LOGIN, proved.partial_token, proved.expires_in, samesite="Lax")
    return response


def complete(response: HttpResponseBase, completed: LoginCompleted) -> None:
    """Sign this browser in: its session has a handle from now on, and no tokens."""
    keep_signed_in(response, completed.pair.session_id)
    response.delete_cookie(LOGIN, samesite="Lax")
    if completed.device_token:
        set_cookie(response, DEVICE, completed.device_token, settings.DEVICE_SECONDS)


def _login_over(request: PageRequest, *, notice: str) -> HttpResponseRedirect:
    """Back to the beginning; who is signed in meanwhile, by a second click or another tab, goes on where they were.

    A factor that comes again after the login was completed opens nothing: whoever replays the request could have it
    too. A browser that sent it twice may have dropped the answer to the first, so that it is told what may be.
    """
    if request.person:
        return lead_to(next_path(request) or "/")
    if factor.is_shown(request):
        notice = SENT_TWICE
    response = lead_to(SIGN_IN, notice=notice, then=next_path(request))
    response.delete_cookie(LOGIN, samesite="Lax")
    return response


def first_click_led(request: PageRequest) -> str:
    """Where the second step led that signed this browser in; empty while another login is under way in it."""
    return "" if read_cookie(request, LOGIN) else next_path(request) or "/"


def in_second_step(view: View) -> View:
    """Only with a login whose password was proved and whose second step is open: `request.login`."""

    @wraps(view)
    def guarded(request: LoginRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            request.login = login.open_second_step(read_cookie(request, LOGIN), source=request.source)
            return view(request, *args, **kwargs)
        except Problem as problem:
            if problem.code is not Code.INVALID_TOKEN:
                raise
            return _login_over(request, notice="login-ended")

    return asks_for(guarded, "login")


def may_enrol(view: View) -> View:
    """Only for who may bind an authenticator: in the middle of a first login, or freshly signed in: `request.grant`."""

    @signed_in
    @fresh
    @highest
    def as_signed_in(request: GrantRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.person:
            request.grant = request.person.grant
        return view(request, *args, **kwargs)

    @wraps(view)
    def guarded(request: GrantRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.person:
            return as_signed_in(request, *args, **kwargs)
        try:
            request.grant = _first_login(request)
            return view(request, *args, **kwargs)
        except Problem as problem:
            if problem.code is not Code.INVALID_TOKEN:
                raise
            return _login_over(request, notice="enrol-needs-login")

    return asks_for(guarded, "grant")


def _first_login(request: PageRequest) -> Grant:
    """The right of a login whose account has no second factor yet.

    Raises:
        Problem: invalid_token.
    """
    found = pending.find_pending(read_cookie(request, LOGIN), source=request.source)
    if found.next != PendingLogin.Next.ENROLL:
        raise invalid_token()
    return Grant(found.user, login=found)
