"""The start page, signing in and out, and proving again that it is you."""

from typing import cast

from django.conf import settings
from django.http import HttpResponseBase

from mfa import recovery_codes
from secure_auth import access, login
from secure_auth.browsers import DEVICE, read_cookie, set_cookie
from secure_auth.second_factor import SecondFactor
from secure_auth.web import security
from secure_auth.web.forms import CodeForm, SecondStepForm, SignInForm
from secure_auth.web.page import SIGN_IN, lead_to, next_path, page, render_form, render_page, signed_in
from secure_auth.web.person import PageRequest, SignedRequest, SignInNeeded, forget_handle, keep_signed_in
from secure_auth.web.steps import LoginRequest, begin_second_step, complete, in_second_step

LANGUAGE_SECONDS = 365 * 86400


@page("GET")
def home(request: PageRequest) -> HttpResponseBase:
    """A welcome, or the overview of who is signed in."""
    if request.person:
        return security.show_overview(cast(SignedRequest, request))
    if request.has_ended:
        raise SignInNeeded
    return render_page(request, "welcome")


@page("GET", "POST")
def sign_in(request: PageRequest) -> HttpResponseBase:
    """The first step."""
    then = next_path(request)
    if request.person:
        return lead_to(then or "/")
    form = SignInForm(request)
    if form.is_sent:
        with form:
            proved = login.prove_password(
                **form.fields_sent(),
                device_token=read_cookie(request, DEVICE)[:128],
                source=request.source,
            )
            return begin_second_step(proved, then=then)
    return render_form(request, "sign_in", form, {"then": then})


def _method(request: PageRequest) -> str:
    """The factor that a page asks for; an authenticator app unless its address says otherwise."""
    return "recovery_code" if request.GET.get("with") == "recovery_code" else "totp"


@page("GET", "POST")
@in_second_step
def second_step(request: LoginRequest) -> HttpResponseBase:
    """The second step: opens the session."""
    form, method, then = SecondStepForm(request), _method(request), next_path(request)
    found = request.login
    if form.is_sent:
        with form:
            sent = form.fields_sent()
            completed = login.prove_second_factor(
                found=found,
                factor=SecondFactor(method, sent["code"]),
                remember_device=sent["remember_device"],
                source=request.source,
            )
            response = lead_to(then or "/", notice="signed-in")
            complete(response, completed)
            return response
    left = recovery_codes.count_left(found.user_id)
    return render_form(request, "second_step", form, {"method": method, "codes_left": left, "then": then})


@page("GET", "POST")
@signed_in
def reauthenticate(request: SignedRequest) -> HttpResponseBase:
    """Prove a second factor again before something that needs it, and go on there."""
    form, method, then = CodeForm(request), _method(request), next_path(request)
    person = request.person
    if form.is_sent:
        with form:
            factor = SecondFactor(method, form.fields_sent()["code"])
            login.reauthenticate(
                user=person.user,
                session=person.session,
                factor=factor,
                password="",
                source=request.source,
            )
            response = lead_to(then or "/")
            keep_signed_in(response, person.session.id)
            return response
    left = recovery_codes.count_left(person.user.pk)
    return render_form(request, "reauthenticate", form, {"method": method, "codes_left": left, "then": then})


@page("POST")
@signed_in
def sign_out(request: SignedRequest) -> HttpResponseBase:
    """End this session."""
    access.log_out(signed=request.person.signed, source=request.source)
    response = lead_to(SIGN_IN, notice="signed-out")
    forget_handle(response)
    return response


@page("POST")
def choose_language(request: PageRequest) -> HttpResponseBase:
    """Speak another language from now on."""
    response = lead_to(next_path(request) or "/")
    if request.POST.get("language") in dict(settings.LANGUAGES):
        name = settings.LANGUAGE_COOKIE_NAME
        set_cookie(response, name, request.POST["language"], LANGUAGE_SECONDS, samesite="Lax")
    return response
