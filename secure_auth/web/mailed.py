"""Where mailed links lead that are no part of signing up or in: each page has one form, for the token of the mail.

The token stands in the link's fragment, which reaches no server; a script fills the field with it, or the person does.
"""

from django.http import HttpResponseBase

from secure_auth import address_change, invitations, recovery, registration
from secure_auth.web.advice import choosing
from secure_auth.web.forms import CancelForm, JoinForm, MailedForm
from secure_auth.web.page import SIGN_IN, lead_to, page, render_form
from secure_auth.web.person import PageRequest
from secure_auth.web.steps import ENROL, begin_second_step, first_login, is_begun


@page("GET", "POST")
@first_login
def join(request: PageRequest) -> HttpResponseBase:
    """Make the account of an invitation: its first login."""
    form = JoinForm(request)
    if form.is_sent:
        with form:
            registration.demand_open(source=request.source)
            proved = invitations.accept(**form.fields_sent(), email="", source=request.source)
            return begin_second_step(proved, then="")
        if is_begun(request, form):
            return lead_to(ENROL)
    return render_form(request, "invited", form, choosing(form, "password"))


@page("GET", "POST")
def confirm_address(request: PageRequest) -> HttpResponseBase:
    """One end of a change of address."""
    form = MailedForm(request)
    if form.is_sent:
        with form:
            is_changed = address_change.confirm_change(**form.fields_sent(), source=request.source)
            return lead_to("/", notice="address-changed" if is_changed else "address-waits")
    return render_form(request, "confirm_address", form)


@page("GET", "POST")
def cancel_reset(request: PageRequest) -> HttpResponseBase:
    """Keep the second factors that an administrator was asked to remove."""
    form = CancelForm(request)
    if form.is_sent:
        with form:
            recovery.cancel_by_link(**form.fields_sent(), source=request.source)
            return lead_to(SIGN_IN, notice="reset-cancelled")
    return render_form(request, "cancel_reset", form)
