"""Every public error: its code, status and title, once (RFC 9457).

Use cases raise a Problem after their transaction. Its detail is written for the client's developer; it never repeats
input, and never says which of several reasons led to a refusal where that would tell an attacker something.
"""

from dataclasses import dataclass, field
from enum import Enum

from django.utils.translation import gettext_noop as _


class Code(Enum):
    """code = (status, title, what it means to a person who opens the problem's page)."""

    VALIDATION_FAILED = (
        400,
        _("The request is not valid"),
        _("A field is missing, malformed, too long or not known here."),
    )
    INVALID_LINK = (
        400,
        _("The link is not valid"),
        _("A mailed link was mistyped, used before or is too old. Ask for a new one."),
    )
    INVALID_CREDENTIALS = (
        401,
        _("The address or the password is wrong"),
        _(
            "No account, a wrong password, an unconfirmed address or a disabled account: the answer is the same."
        ),
    )
    INVALID_CODE = (
        401,
        _("The code is wrong"),
        _(
            "The code is wrong, was used before or is outside its time window; or what the passkey answered does not "
            "fit the challenge of this login."
        ),
    )
    INVALID_TOKEN = (
        401,
        _("The token is not valid"),
        _("The token is missing, malformed, expired, revoked or of another kind."),
    )
    REAUTHENTICATION_REQUIRED = (
        401,
        _("A fresh login is required"),
        _("Prove a second factor again at reauthenticate/ and repeat the request (RFC 9470)."),
    )
    PERMISSION_DENIED = 403, _("Not allowed"), _("Your account lacks the role that this needs.")
    PASSWORD_CHANGE_REQUIRED = (
        403,
        _("The password must be changed"),
        _(
            "Change the password at password/change/ first. Until then your session opens that, me/, "
            "reauthenticate/, token/refresh/ and logout/."
        ),
    )
    REGISTRATION_CLOSED = (
        403,
        _("Registration is closed"),
        _("Accounts are made by the operators of this service only."),
    )
    CSRF_FAILED = (
        403,
        _("Cross-site request refused"),
        _("The CSRF token is missing or the request came from another origin."),
    )
    NOT_FOUND = 404, _("Not found"), _("Nothing is here, or it belongs to somebody else.")
    METHOD_NOT_ALLOWED = (
        405,
        _("Method not allowed"),
        _("The Allow header names the methods that this address takes."),
    )
    NOT_ACCEPTABLE = 406, _("Not acceptable"), _("The service answers in JSON.")
    LAST_AUTHENTICATOR = (
        409,
        _("The last authenticator stays"),
        _("Add another authenticator before you remove this one."),
    )
    TOO_MANY_AUTHENTICATORS = (
        409,
        _("Too many authenticators"),
        _(
            "Your account has as many authenticators as it may. Remove one that you no longer use, then add this one."
        ),
    )
    EVENT_PENDING = (
        409,
        _("Not integrated yet"),
        _("No checkpoint covers this event yet. Ask again in a moment."),
    )
    GONE = 410, _("Gone"), _("The body of this event was pruned. Its entry and its proof are still here.")
    PAYLOAD_TOO_LARGE = (
        413,
        _("The request is too large"),
        _("Nothing that this service takes is larger than 64 KiB."),
    )
    UNSUPPORTED_MEDIA_TYPE = (
        415,
        _("Unsupported media type"),
        _("Send JSON with the content type application/json."),
    )
    RATE_LIMITED = 429, _("Too many requests"), _("Wait as long as Retry-After says, then try again.")
    TEMPORARILY_LOCKED = (
        429,
        _("Too many failures"),
        _(
            "This account is locked from where you are. Wait as long as Retry-After says, use a device that you "
            "signed in on before, or reset the password by mail."
        ),
    )
    INTERNAL_ERROR = (
        500,
        _("Something went wrong"),
        _("The error was recorded. Name the request id when you report it."),
    )
    SERVICE_UNAVAILABLE = (
        503,
        _("Try again in a moment"),
        _("A part of the service is busy or away. Nothing was decided or lost."),
    )

    @property
    def slug(self) -> str:
        """The code that programs read."""
        return self.name.lower()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.value[0])

    @property
    def title(self) -> str:
        """One line for people."""
        return str(self.value[1])

    @property
    def meaning(self) -> str:
        """What the problem's page says."""
        return str(self.value[2])


@dataclass(frozen=True)
class FieldError:
    """One fault of one field."""

    code: str
    detail: str


@dataclass(eq=False)
class Problem(Exception):
    """A refusal on its way to the client. `headers` are added to the answer, `members` to its document."""

    code: Code
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[FieldError]] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.code.slug


def validation_failed(name: str, code: str, detail: str) -> Problem:
    """A refusal of one field."""
    return Problem(Code.VALIDATION_FAILED, errors={name: [FieldError(code, detail)]})


def invalid_token() -> Problem:
    """The one answer to a token that does not open the door, whatever is wrong with it (RFC 6750 section 3)."""
    return Problem(Code.INVALID_TOKEN, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def missing_token() -> Problem:
    """A request without a token gets a challenge without an error (RFC 6750 section 3.1)."""
    return Problem(Code.INVALID_TOKEN, headers={"WWW-Authenticate": "Bearer"})


def service_unavailable(retry_after_seconds: int = 1) -> Problem:
    """A store is away or all hashing capacity is taken; nothing was decided."""
    return Problem(Code.SERVICE_UNAVAILABLE, headers={"Retry-After": str(retry_after_seconds)})


def reauthentication_required(
    max_age_seconds: int, acr_values: tuple[str, ...] = (), *, detail: str = ""
) -> Problem:
    """RFC 9470 section 3."""
    challenge = f'Bearer error="insufficient_user_authentication", max_age={max_age_seconds}'
    if acr_values:
        challenge += f', acr_values="{" ".join(acr_values)}"'
    return Problem(Code.REAUTHENTICATION_REQUIRED, detail, headers={"WWW-Authenticate": challenge})


def first_line(error: Exception) -> str:
    """The first line of an error, which drivers of databases go on from with hints and a caret."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
