"""Changing the password, and setting a new one by mail where it was forgotten."""

from django.conf import settings
from django.http import HttpResponseBase

from secure_auth import accounts
from secure_auth.web.advice import choosing
from secure_auth.web.forms import ChangePasswordForm, ForgotForm, ResetForm
from secure_auth.web.page import (
    SIGN_IN,
    fresh,
    lead_to,
    opens_before_change,
    page,
    render_form,
    render_page,
    signed_in,
)
from secure_auth.web.person import PageRequest, SignedRequest


@page("GET", "POST")
@signed_in
@opens_before_change
@fresh
def change(request: SignedRequest) -> HttpResponseBase:
    """Replace the password; all other sessions are over."""
    form, person = ChangePasswordForm(request), request.person
    if form.is_sent:
        with form:
            accounts.change_password(
                user=person.user,
                session=person.session,
                **form.fields_sent(),
                source=request.source,
            )
            return lead_to("/", notice="password-changed")
    return render_form(
        request, "change_password", form, choosing(form, "new_password", email=person.user.email)
    )


@page("GET", "POST")
def forgot(request: PageRequest) -> HttpResponseBase:
    """Ask for a mail with a link."""
    form = ForgotForm(request)
    if form.is_sent:
        with form:
            typed = form.fields_sent()["email"]
            accounts.demand_address(typed)  # a slip is told here, not waited for in the mailbox
            accounts.request_reset(email=typed, source=request.source)
            return lead_to("/forgot/sent/")
    return render_form(request, "forgot", form)


@page("GET")
def forgot_sent(request: PageRequest) -> HttpResponseBase:
    """The same whether or not the address is known."""
    return render_page(request, "forgot_sent", {"minutes": settings.RESET_LINK_SECONDS // 60})


@page("GET", "POST")
def reset(request: PageRequest) -> HttpResponseBase:
    """Where the mailed link leads. Never signs in, never touches the second factor."""
    form = ResetForm(request)
    if form.is_sent:
        with form:
            accounts.confirm_reset(**form.fields_sent(), source=request.source)
            return lead_to(SIGN_IN, notice="password-reset")
    return render_form(request, "reset", form, choosing(form, "new_password"))
