"""Passkeys on the pages: the options that a script asks for, and binding one.

The script gives an answer back as a field of the page's own form; without scripts the other ways remain.
"""

from django.http import HttpResponse, HttpResponseBase, JsonResponse

from secure_auth import passkeys, second_factor
from secure_auth.web.forms import NewPasskeyForm
from secure_auth.web.page import (
    fresh,
    highest,
    lead_to,
    opens_before_change,
    page,
    render_form,
    signed_in,
)
from secure_auth.web.person import SignedRequest
from secure_auth.web.steps import LoginRequest, first_click_led, in_second_step


@page("POST", first_click_led=first_click_led)
@in_second_step
def login_options(request: LoginRequest) -> HttpResponse:
    """What the browser asks a passkey for in the second step."""
    holder = second_factor.of_login(request.login)
    return JsonResponse({"publicKey": passkeys.challenge(holder=holder, source=request.source)})


@page("POST")
@signed_in
@opens_before_change
def reauthentication_options(request: SignedRequest) -> HttpResponse:
    """What the browser asks a passkey for when somebody proves again who they are."""
    holder = second_factor.of_session(request.person.session)
    return JsonResponse({"publicKey": passkeys.challenge(holder=holder, source=request.source)})


@page("POST")
@signed_in
@fresh
@highest
def creation_options(request: SignedRequest) -> HttpResponse:
    """What the browser makes a passkey from."""
    grant = request.person.grant
    return JsonResponse({"publicKey": passkeys.begin_passkey(grant=grant, source=request.source)})


@page("GET", "POST")
@signed_in
@fresh
@highest
def bind(request: SignedRequest) -> HttpResponseBase:
    """Bind a passkey."""
    form = NewPasskeyForm(request)
    if form.is_sent:
        with form:
            passkeys.confirm_passkey(grant=request.person.grant, **form.fields_sent(), source=request.source)
            return lead_to("/", notice="passkey-added")
    return render_form(request, "new_passkey", form)
