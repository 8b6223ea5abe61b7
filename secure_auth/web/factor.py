"""Which second factor a page asks for, the strongest of the account unless asked otherwise, and what was shown."""

from typing import Any, Final

from secure_auth import inventory, login
from secure_auth.second_factor import SecondFactor
from secure_auth.web.forms import CodeForm, PageForm, PasskeyForm
from secure_auth.web.page import next_path
from secure_auth.web.person import PageRequest, SignedRequest

# What stands behind ?with= for each method.
NAMES: Final = {"webauthn": "passkey", "totp": "app", "recovery_code": "recovery_code"}
BY_NAME: Final = {name: method for method, name in NAMES.items()}
LOW: Final = "totp"  # a code that can be relayed: not the highest factor beside a passkey


def is_shown(request: PageRequest) -> bool:
    """Whether a factor was sent at all."""
    return is_passkey_shown(request) or "code" in request.POST


def is_passkey_shown(request: PageRequest) -> bool:
    """Whether the answer of a passkey was sent, rather than a code."""
    return "credential" in request.POST


def sent_form(request: PageRequest) -> PageForm:
    """The form of a proof, as it fits what was sent."""
    return (PasskeyForm if is_passkey_shown(request) else CodeForm)(request)


def prove(request: SignedRequest, form: PageForm) -> None:
    """Prove a second factor of who is signed in, by what the form shows.

    Raises:
        Problem: as login.reauthenticate.
    """
    login.reauthenticate(
        user=request.person.user,
        session=request.person.session,
        factor=shown_factor(request, form.fields_sent()),
        password="",
        source=request.source,
    )


def shown_factor(request: PageRequest, sent: dict[str, Any]) -> SecondFactor:
    """What was shown, of the fields of a valid form."""
    if "credential" in sent:
        return SecondFactor("webauthn", credential=sent["credential"])
    return SecondFactor(_code_method(request), sent["code"])


def _code_method(request: PageRequest) -> str:
    return "recovery_code" if request.GET.get("with") == NAMES["recovery_code"] else "totp"


def ways(request: PageRequest, user_id: str, *, highest: bool = False) -> dict[str, object]:
    """What the template needs: the `method` that is asked for, the `others`, and where to go on then."""
    held = [one for one in inventory.list_methods(user_id) if not (highest and one == LOW)]
    wanted = BY_NAME.get(request.GET.get("with", ""), "")
    method = wanted if wanted in held else next(iter(held), "recovery_code" if highest else LOW)
    if is_shown(request):
        method = "webauthn" if is_passkey_shown(request) else _code_method(request)
    others = [(one, NAMES[one]) for one in held if one != method]
    has_codes = "recovery_code" in held
    return {"method": method, "others": others, "has_codes": has_codes, "then": next_path(request)}
