"""Becoming somebody: sign up, confirm the address, bind an authenticator, keep the recovery codes."""

from typing import Any

from django.http import HttpResponseBase

from mfa import totp
from secure_auth import authenticators, recovery_sheet, registration
from secure_auth.authenticators import TotpConfirmed
from secure_auth.grants import Grant
from secure_auth.web import once
from secure_auth.web.advice import choosing
from secure_auth.web.forms import BeginForm, CodeForm, ConfirmForm, PageForm, SignUpForm
from secure_auth.web.page import (
    fresh,
    highest,
    lead_to,
    next_path,
    opens_before_change,
    page,
    render_form,
    render_page,
    signed_in,
    with_next,
)
from secure_auth.web.person import PageRequest, SignedRequest
from secure_auth.web.steps import (
    ENROL,
    GrantRequest,
    begin_second_step,
    complete,
    first_login,
    first_login_by_mail,
    is_begun,
    may_enrol,
)

SCAN = "/enrol/app/"
CODES = "/recovery-codes/"


@page("GET", "POST")
def sign_up(request: PageRequest) -> HttpResponseBase:
    """Begin an account; the mail tells the rest."""
    form = SignUpForm(request)
    if form.is_sent:
        with form:
            registration.demand_open(source=request.source)
            registration.register(**form.fields_sent(), source=request.source)
            return lead_to("/sign-up/sent/")
    return render_form(
        request, "sign_up", form, choosing(form, "password", email=form["email"].value() or "")
    )


@page("GET")
def sign_up_sent(request: PageRequest) -> HttpResponseBase:
    """The same whether or not the address is known."""
    return render_page(request, "sign_up_sent")


@page("GET", "POST")
@first_login
def confirm(request: PageRequest) -> HttpResponseBase:
    """Where the mailed link leads: confirming is the first login."""
    form = ConfirmForm(request)
    if form.is_sent:
        with form:
            proved = registration.confirm_registration(**form.fields_sent(), source=request.source)
            return begin_second_step(proved, then="")
        if is_begun(request, form):
            return lead_to(ENROL)
    return render_form(request, "confirm", form)


@page("GET", "POST")
@first_login_by_mail
@may_enrol
def begin(request: GrantRequest) -> HttpResponseBase:
    """Make an unconfirmed authenticator."""
    form, then = BeginForm(request), next_path(request)
    grant = request.grant
    if form.is_sent:
        with form:
            sent = form.fields_sent()
            begun = authenticators.begin_totp(
                grant=grant,
                name=sent["name"],
                mailed_token=sent["token"],
                source=request.source,
            )
            response = lead_to(SCAN, then=then)
            shown = begun.enrolment
            content = {"id": begun.id, "secret": shown.secret, "uri": shown.otpauth_uri}
            once.show_once(response, once.TOTP, _owner(grant), content)
            return response
    needs_token = grant.login is not None and grant.login.needs_mailed_token
    return render_form(request, "enrol", form, {"needs_token": needs_token, "is_first": bool(grant.login)})


def _owner(grant: Grant) -> str:
    return grant.login.id if grant.login else grant.session_id


@page("GET", "POST")
@may_enrol
def scan(request: GrantRequest) -> HttpResponseBase:
    """Show the QR code and bind the authenticator whose code comes back; completes a first login."""
    grant = request.grant
    begun = once.read_once(request, once.TOTP, _owner(grant))
    if begun is None:
        return lead_to(ENROL, then=next_path(request))
    form = CodeForm(request)
    if form.is_sent:
        if request.POST.get("authenticator", begun["id"]) != begun["id"]:  # the app has another tab's secret
            return lead_to(SCAN, then=next_path(request), notice="enrolment-elsewhere")
        with form:
            confirmed = authenticators.confirm_totp(
                grant=grant,
                authenticator_id=begun["id"],
                code=form.fields_sent()["code"],
                source=request.source,
            )
            return _bound(request, grant, confirmed)
    return _show_secret(request, form, begun)


def _show_secret(request: GrantRequest, form: PageForm, begun: dict[str, Any]) -> HttpResponseBase:
    secret, uri = begun["secret"], begun["uri"]
    groups = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    picture = totp.draw_qr(uri, scalable=True)
    scheme = totp.read_scheme(uri)
    algorithm = scheme.algorithm if scheme.algorithm != totp.APPS.algorithm else ""
    context: dict[str, object] = {
        "authenticator": begun["id"],
        "uri": uri,
        "key": groups,
        "picture": picture,
        "digits": scheme.digits,
        "algorithm": algorithm,
    }
    return render_form(request, "scan", form, context)


def _bound(request: GrantRequest, grant: Grant, confirmed: TotpConfirmed) -> HttpResponseBase:
    """On to the new recovery codes, where there are some."""
    then = next_path(request)
    session_id = confirmed.completed.pair.session_id if confirmed.completed else grant.session_id
    if confirmed.recovery_codes:
        response = lead_to(CODES, then=then)
        once.show_once(response, once.CODES, session_id, {"codes": confirmed.recovery_codes})
    else:
        response = lead_to(then or "/", notice="authenticator-added")
        once.forget_once(response)
    if confirmed.completed:
        complete(response, confirmed.completed)
    return response


@page("GET", "POST")
@signed_in
@opens_before_change  # they were made by an enrolment just now, and are shown this once
def show_codes(request: SignedRequest) -> HttpResponseBase:
    """New recovery codes, until the person says that they are kept, for ten minutes at most.

    Where newer ones were made meanwhile, in another tab or elsewhere, nobody is to keep these.
    """
    user_id, wanted = request.person.user.pk, next_path(request)
    if request.method == "POST":
        mark = request.POST.get("mark")
        if mark is not None and not recovery_sheet.are_present(mark, user_id=user_id):
            return lead_to(CODES, then=wanted, notice="codes-replaced")
        return _leave_codes(wanted, notice="codes-saved")
    shown = once.read_once(request, once.CODES, request.person.session.id)
    if shown is None:
        return _leave_codes(wanted)
    mark = recovery_sheet.mark_codes(shown["codes"], user_id=user_id)
    if not mark:
        return _leave_codes(wanted, notice="codes-replaced")
    return render_page(request, "recovery_codes", {"codes": shown["codes"], "mark": mark})


def _leave_codes(wanted: str, *, notice: str = "") -> HttpResponseBase:
    response = lead_to(wanted or "/", notice=notice)
    once.forget_once(response)
    return response


@page("GET", "POST")
@signed_in
@fresh
@highest
def new_codes(request: SignedRequest) -> HttpResponseBase:
    """Ten new recovery codes; the old ones are dead."""
    person = request.person
    form = PageForm(request)
    if form.is_sent:
        codes = recovery_sheet.replace_recovery_codes(grant=person.grant, source=request.source)
        response = lead_to(with_next(CODES, next_path(request)))
        once.show_once(response, once.CODES, person.session.id, {"codes": codes})
        return response
    return render_form(request, "new_codes", form)
