"""The account itself: another address, a copy of what is kept about its owner, and its end."""

from django.http import HttpResponse, HttpResponseBase, JsonResponse

from secure_auth import address_change, addresses, own_data, personal
from secure_auth.errors import validation_failed
from secure_auth.web.forms import ChangeAddressForm, DeleteForm, PageForm
from secure_auth.web.page import SIGN_IN, fresh, lead_to, page, render_form, signed_in
from secure_auth.web.person import SignedRequest, forget_handle


@page("GET", "POST")
@signed_in
@fresh
def change_address(request: SignedRequest) -> HttpResponseBase:
    """Ask for another address, which both mailboxes have to confirm."""
    form, person = ChangeAddressForm(request), request.person
    if form.is_sent:
        with form:
            address_change.request_change(
                user=person.user, session=person.session, **form.fields_sent(), source=request.source
            )
            return lead_to("/", notice="address-asked")
    return render_form(request, "change_address", form)


@page("GET", "POST")
@signed_in
@fresh
def download_data(request: SignedRequest) -> HttpResponseBase:
    """Everything about me that the service keeps, but secrets, as a file."""
    form, person = PageForm(request), request.person
    if form.is_sent:
        with form:
            found = personal.export_account(signed=person.signed, source=request.source)
            return _as_file(own_data.describe_person(found, current=person.session.id))
    return render_form(request, "download_data", form)


def _as_file(told: dict[str, object]) -> HttpResponse:
    response = JsonResponse(told, json_dumps_params={"indent": 1, "ensure_ascii": False})
    response.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


@page("GET", "POST")
@signed_in
@fresh
def delete(request: SignedRequest) -> HttpResponseBase:
    """Delete the account for good."""
    form, person = DeleteForm(request), request.person
    if form.is_sent:
        with form:
            sent = form.fields_sent()
            if addresses.recognise(sent["email"]).key != person.user.email_key:
                raise validation_failed("email", "address", "Not the address of the account.")
            personal.delete_account(
                user=person.user,
                session=person.session,
                current_password=sent["current_password"],
                source=request.source,
            )
            response = lead_to(SIGN_IN, notice="account-deleted")
            forget_handle(response)
            return response
    return render_form(request, "delete_account", form)
