"""What every page is made with: who may see it, how it is shown, and how a refusal is told to a person.

    @page("GET", "POST")
    @signed_in
    @fresh
    @has_role("admin")
    def view(request): ...

`request.person` has the user, the session and the roles; it is None where nobody is signed in. An unsafe request must
bring the page's form token. Nothing of a page is kept by the browser or runs but this service's own files.
"""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, Final, cast
from urllib.parse import urlencode

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils import translation
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme

from secure_auth import demands
from secure_auth.browsers import SAFE_METHODS, is_led_by_another_site, read_cookie, set_cookie
from secure_auth.errors import Code, Problem, service_unavailable
from secure_auth.plain_views import at_origin, route_of, to_origin
from secure_auth.web import guard, person, words
from secure_auth.web.forms import PageForm
from secure_auth.web.person import PageRequest, SignedRequest, SignInNeeded
from throttling.reservations import StoreUnavailable

View = Callable[..., HttpResponseBase]
LeadsOn = Callable[[PageRequest], str]

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
NOTICE: Final = "__Host-notice"
NOTICE_SECONDS: Final = 60
MOST_OF_NEXT: Final = 1024
SIGN_IN: Final = "/sign-in/"
REAUTHENTICATE: Final = "/reauthenticate/"
REAUTHENTICATE_HIGHEST: Final = "/reauthenticate/highest/"
TO_CHANGE: Final = "/password/"


def page(
    *methods: str, first_click_led: LeadsOn | None = None, ends_session: bool = False
) -> Callable[[View], View]:
    """Make a page of a view that takes these methods.

    `first_click_led`: where a form led that signed somebody in, for a second click on it; empty for nowhere.
    `ends_session`: another tab may have done it already.
    """
    taken = ("HEAD", *methods) if "GET" in methods else methods

    def decorate(view: View) -> View:
        @wraps(view)
        def shown(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with translation.override(translation.get_language_from_request(request)):
                response = _answer(
                    at_origin(view), taken, first_click_led, ends_session, request, *args, **kwargs
                )
                return _finish(request, response)

        shown.methods = methods  # type: ignore[attr-defined]
        shown.answer_problem = answer_problem  # type: ignore[attr-defined]
        shown.csrf_exempt = True  # type: ignore[attr-defined] # from Django's own check: guard.py judges forms
        return shown

    return decorate


def _answer(
    view: View,
    methods: tuple[str, ...],
    first_click_led: LeadsOn | None,
    ends_session: bool,
    request: PageRequest,
    *args: Any,
    **kwargs: Any,
) -> HttpResponseBase:
    """The view's answer, or the refusal in words."""
    request.person, request.has_ended = None, False
    try:
        if request.method not in methods:
            raise Problem(Code.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(methods)})
        person.note_person(request)
        if request.method not in SAFE_METHODS:
            then = first_click_led(request) if first_click_led and guard.is_second_click(request) else ""
            if then:
                return lead_to(then)
            if guard.is_sent_twice(request):
                return lead_to("/", notice="sent-twice")
            if ends_session and guard.is_signed_out(request):
                return lead_to(SIGN_IN, notice="signed-out")
            if guard.is_at_a_further_name(request):
                return to_origin(request)
            guard.demand_own_form(request)
        return view(request, *args, **kwargs)
    except SignInNeeded:
        return _lead_to_sign_in(request, methods)
    except Problem as problem:
        if problem.code is Code.INVALID_TOKEN:  # the session ended while this was under way
            request.has_ended = True
            return _lead_to_sign_in(request, methods)
        if problem.code is Code.REAUTHENTICATION_REQUIRED:  # of a stronger factor: fresh() leads itself
            return lead_to(REAUTHENTICATE_HIGHEST, then=request.get_full_path(), notice=guard.undone(request))
        return show_problem(request, problem)
    except (OperationalError, InterfaceError, StoreUnavailable):
        return show_problem(request, service_unavailable(2))


def _finish(request: PageRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The headers that every page carries."""
    guard.keep_browser(request, response)
    person.forget_ended(request, response)
    person.keep_renewed(request, response)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers["Content-Language"] = translation.get_language() or settings.LANGUAGE_CODE
    return response


def render_page(
    request: PageRequest, template: str, context: Mapping[str, object] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page of web/`template`.html, with the notice that a page before left for it."""
    notice = read_cookie(request, NOTICE)
    shared = {
        "product": settings.PRODUCT_NAME,
        "person": request.person,
        "form_token": SimpleLazyObject(partial(guard.form_token, request)),
        "language": translation.get_language(),
        "languages": settings.LANGUAGES,
        "registration": settings.REGISTRATION,
        "here": _address(request),
        "notice": words.NOTICES.get(notice),
        "notice_warns": notice in words.WARNINGS,
        "notice_leads": words.NOTICE_LINKS.get(notice),
    }
    response = render(request, f"web/{template}.html", {**shared, **(context or {})}, status=status)
    if notice:
        response.delete_cookie(NOTICE, samesite="Lax")
    return response


def _address(request: PageRequest) -> str:
    """Where a form of every page leads back to."""
    if is_led_by_another_site(request):
        return with_next(request.path, next_path(request))
    return request.get_full_path()


def render_form(
    request: PageRequest, template: str, form: PageForm, context: Mapping[str, object] | None = None
) -> HttpResponse:
    """A page with a form, before it is sent or with what is wrong with it."""
    response = render_page(request, template, {"form": form, **(context or {})}, status=form.status)
    if form.problem:
        _copy_headers(form.problem, response)
    return response


def _copy_headers(problem: Problem, response: HttpResponse) -> None:
    for name, value in problem.headers.items():
        if name != "WWW-Authenticate":  # there is nothing that a browser could answer it with
            response.headers[name] = value


def show_problem(request: PageRequest, problem: Problem) -> HttpResponse:
    """A refusal that belongs to no field of a form. The page asks no store: one of them may be what is away."""
    is_bare = problem.code is Code.CSRF_FAILED and not request.COOKIES
    told = words.NO_COOKIES if is_bare else words.describe_problem(problem)
    context = {"problem": problem.code, "words": told, "request_id": request.request_id}
    response = render_page(request, "refused", context, status=problem.code.status)
    _copy_headers(problem, response)
    return response


def answer_problem(problem: Problem, request: HttpRequest) -> HttpResponseBase:
    """A refusal before the view was reached."""
    asked = cast(PageRequest, request)
    asked.person, asked.has_ended = None, False
    with translation.override(translation.get_language_from_request(request)):
        return _finish(asked, show_problem(asked, problem))


def lead_to(path: str, *, notice: str = "", then: str = "") -> HttpResponseRedirect:
    """On to another page (303), which shows the notice and may lead on in turn."""
    response = HttpResponseRedirect(with_next(path, then))
    response.status_code = 303
    if notice:
        set_cookie(response, NOTICE, notice, NOTICE_SECONDS, samesite="Lax")
    return response


def with_next(path: str, then: str) -> str:
    """A path that remembers where to go on."""
    return f"{path}?{urlencode({'next': then})}" if then else path


def next_path(request: PageRequest) -> str:
    """Where the person wanted to go: a path of this service, or empty.

    Without a query that is very long, and without any where another site says so.
    """
    wanted = request.GET.get("next", "")
    if len(wanted) > MOST_OF_NEXT or is_led_by_another_site(request):
        wanted = wanted.partition("?")[0]
    is_path = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_path and len(wanted) <= MOST_OF_NEXT else ""


def _lead_to_sign_in(request: PageRequest, methods: tuple[str, ...]) -> HttpResponseRedirect:
    then = request.get_full_path() if "GET" in methods and request.get_full_path() != "/" else ""
    return lead_to(SIGN_IN, notice="session-ended" if request.has_ended else "", then=then)


def signed_in(view: View) -> View:
    """Only for people who are signed in; others are led to sign in and back.

    Who must change the password first is led to that, except by what opens_before_change() is noted on.
    """
    is_open = getattr(view, "opens_before_change", False)

    @wraps(view)
    def guarded(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.person is None:
            raise SignInNeeded
        if not is_open:
            try:
                demands.demand_settled_password(request.person.signed, source=request.source)
            except Problem:
                return lead_to(TO_CHANGE)
        return view(request, *args, **kwargs)

    return asks_for(guarded, "session")


def opens_before_change(view: View) -> View:
    """Note, below signed_in(), that a view serves a person who must change the password first."""
    view.opens_before_change = True  # type: ignore[attr-defined]
    return view


def fresh(view: View) -> View:
    """Only with a second factor that was proved lately; others are led to prove it, and back to this page."""

    @wraps(view)
    def guarded(request: SignedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            demands.demand_fresh(request.person.signed, source=request.source)
        except Problem:
            return lead_to(REAUTHENTICATE, then=request.get_full_path(), notice=guard.undone(request))
        return view(request, *args, **kwargs)

    return asks_for(guarded, "fresh")


def highest(view: View) -> View:
    """Only with the highest factor of the account, where factors are changed; others are led to prove it."""

    @wraps(view)
    def guarded(request: SignedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        demands.demand_highest(request.person.signed, source=request.source)
        return view(request, *args, **kwargs)

    return asks_for(guarded, "highest")


def has_role(role: str) -> Callable[[View], View]:
    """Only with a role."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: SignedRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            demands.demand_role(
                request.person.signed,
                role,
                source=request.source,
                path=request.path,
                route=route_of(request),
            )
            return view(request, *args, **kwargs)

        return asks_for(guarded, role)

    return decorate


def asks_for(view: View, what: str) -> View:
    """Note on a view what it asks for, so that a test can compare all of them with what is promised."""
    view.asked = (what, *getattr(view, "asked", ()))  # type: ignore[attr-defined]
    return view
