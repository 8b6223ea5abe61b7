"""The start page, signing in and out, and proving again that it is you."""

from typing import cast

from django.conf import settings
from django.http import HttpResponseBase

from mfa import recovery_codes
from secure_auth import access, login
from secure_auth.browsers import DEVICE, read_cookie, set_cookie
from secure_auth.pending import LoginCompleted
from secure_auth.web import factor, security
from secure_auth.web.forms import SecondStepForm, SecondStepPasskeyForm, SignInForm
from secure_auth.web.page import (
    NOTICE,
    SIGN_IN,
    lead_to,
    next_path,
    opens_before_change,
    page,
    render_form,
    render_page,
    signed_in,
)
from secure_auth.web.person import PageRequest, SignedRequest, SignInNeeded, forget_handle, keep_signed_in
from secure_auth.web.steps import (
    SENT_TWICE,
    LoginRequest,
    begin_second_step,
    complete,
    first_click_led,
    in_second_step,
)

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
        is_by_two_clicks = read_cookie(request, NOTICE) == SENT_TWICE  # and the answer to the first arrived
        return lead_to(then or "/", notice="signed-in" if is_by_two_clicks else "")
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


@page("GET", "POST", first_click_led=first_click_led)
@in_second_step
def second_step(request: LoginRequest) -> HttpResponseBase:
    """The second step: opens the session."""
    form = (SecondStepPasskeyForm if factor.is_passkey_shown(request) else SecondStepForm)(request)
    found = request.login
    if form.is_sent:
        with form:
            sent = form.fields_sent()
            completed = login.prove_second_factor(
                found=found,
                factor=factor.shown_factor(request, sent),
                remember_device=sent["remember_device"],
                source=request.source,
            )
            response = lead_to(next_path(request) or "/", notice=_welcome(completed))
            complete(response, completed)
            return response
    context = {**factor.ways(request, found.user_id), "options": "/sign-in/passkey/", "remembers": True}
    return render_form(request, "second_step", form, context)


def _welcome(completed: LoginCompleted) -> str:
    """The notice of a completed login, which warns after one with a recovery code when few are left."""
    left = completed.recovery_codes_left
    if left is None or left > recovery_codes.FEW_LEFT:
        return "signed-in"
    return "signed-in-few-codes" if left else "signed-in-no-codes"


@page("GET", "POST")
@signed_in
@opens_before_change
def reauthenticate(request: SignedRequest, *, is_highest: bool = False) -> HttpResponseBase:
    """Prove a second factor again before something that needs it, or the highest one, and go on there."""
    form = factor.sent_form(request)
    person = request.person
    if form.is_sent:
        with form:
            factor.prove(request, form)
            response = lead_to(next_path(request) or "/")
            keep_signed_in(response, person.session.id)
            return response
    ways = factor.ways(request, person.user.pk, highest=is_highest)
    context = {**ways, "options": "/reauthenticate/passkey/", "is_highest": is_highest}
    return render_form(request, "reauthenticate", form, context)


@page("POST", ends_session=True)
@signed_in
@opens_before_change
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
