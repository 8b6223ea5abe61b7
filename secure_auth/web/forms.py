"""The forms of the pages: what they take is judged by the same use cases as the API's bodies."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest

from secure_auth.errors import Code, Problem
from secure_auth.web import words
from secure_auth.web.credentials import ASSERTION, ATTESTATION, CredentialField

# Not the fault of what was typed: the whole page says so.
ELSEWHERE = frozenset(
    {
        Code.INVALID_TOKEN,
        Code.REAUTHENTICATION_REQUIRED,
        Code.CSRF_FAILED,
        Code.PERMISSION_DENIED,
        Code.NOT_FOUND,
    }
)


class Text(forms.CharField):
    """A string that is taken as it is; blanks stay."""

    def __init__(self, **options: Any) -> None:
        messages = {"required": words.FAULTS["required"], "max_length": words.FAULTS["invalid"]}
        super().__init__(**{"strip": False, "max_length": 1024, "error_messages": messages, **options})


class MailedToken(Text):
    """The token of a mail, or the whole link that it stands in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=True, **options)

    def to_python(self, value: Any) -> str:
        """What stands behind `#token=`, where that was pasted as well."""
        return str(super().to_python(value)).rpartition("#token=")[2]


class PageForm(forms.Form):
    """A form that tells refusals of the use case it is sent to beside its fields.

        form = SignInForm(request)
        with form:
            use_case(**form.fields_sent())
            return lead_to(...)
        return render_page(request, ..., status=form.status)

    What a Problem says is shown on the form, and the answer has the status that the API's would have.
    """

    told_words: ClassVar[Mapping[Code, Callable[[Problem], str]]] = {}  # where a form has words of its own
    told_at: ClassVar[Mapping[Code, str]] = {}  # the field whose fault a refusal is

    def __init__(self, request: HttpRequest, *, is_sent: bool | None = None) -> None:
        """`is_sent`: whether this form is what came, where the method alone does not tell."""
        if is_sent is None:
            is_sent = request.method == "POST"
        super().__init__(request.POST if is_sent else None)
        self.problem: Problem | None = None

    @property
    def is_sent(self) -> bool:
        """Whether this is the answer to the form, not the question."""
        return self.is_bound

    def fields_sent(self) -> dict[str, Any]:
        """What was typed.

        Raises:
            Problem: validation_failed, where a field is missing, too long, or holds what no text does.
        """
        if not self.is_valid():
            raise Problem(Code.VALIDATION_FAILED)
        return dict(self.cleaned_data)

    def __enter__(self) -> "PageForm":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> bool:
        if not isinstance(error, Problem) or error.code in ELSEWHERE:
            return False
        self.problem = error
        for name, faults in error.errors.items():
            for fault in faults:
                self.add_error(name if name in self.fields else None, words.describe_fault(fault, field=name))
        if not self.errors:
            self.add_error(self.told_at.get(error.code), self.describe(error))
        return True

    def describe(self, problem: Problem) -> str:
        """What a refusal is called here that is no fault of a field."""
        return self.told_words.get(problem.code, words.describe_problem)(problem)

    @property
    def has_faulty_field(self) -> bool:
        """Whether something was typed that is not right: the first such field has the focus."""
        return any(name in self.fields for name in self.errors)

    @property
    def status(self) -> int:
        """The answer's: 200 before anything was sent."""
        return self.problem.code.status if self.problem else 200


class SignInForm(PageForm):
    """The first step."""

    email = Text(max_length=320, strip=True)
    password = Text()


class SignUpForm(SignInForm):
    """A new account."""


class CodeForm(PageForm):
    """A code of an authenticator app, or a recovery code."""

    told_words: ClassVar = {
        Code.TEMPORARILY_LOCKED: words.describe_second_step_lock,
        Code.INVALID_CODE: words.describe_wrong_code,
    }
    code = Text(max_length=64)

    def __init__(self, request: HttpRequest, *, is_sent: bool | None = None) -> None:
        """As any form; which code is asked for stands in the address."""
        super().__init__(request, is_sent=is_sent)
        self.is_of_recovery = request.GET.get("with") == "recovery_code"

    def describe(self, problem: Problem) -> str:
        """A recovery code has no next one to wait for."""
        if self.is_of_recovery and problem.code is Code.INVALID_CODE:
            return words.describe_wrong_recovery_code()
        if self.is_of_recovery and problem.code is Code.TEMPORARILY_LOCKED:
            return words.describe_recovery_lock(problem)
        return super().describe(problem)


class SecondStepForm(CodeForm):
    """The second step."""

    remember_device = forms.BooleanField(required=False)


class PasskeyForm(PageForm):
    """What a passkey answered, put in by a script."""

    told_words: ClassVar = {Code.INVALID_CODE: words.describe_refused_passkey}
    credential = CredentialField(ASSERTION)


class SecondStepPasskeyForm(PasskeyForm):
    """The second step with a passkey."""

    remember_device = forms.BooleanField(required=False)


class NewPasskeyForm(PageForm):
    """A passkey that was just made, and what its owner calls it."""

    told_words: ClassVar = {
        Code.TEMPORARILY_LOCKED: words.describe_second_step_lock,
        Code.TOO_MANY_AUTHENTICATORS: words.describe_too_many_passkeys,
    }
    name = Text(max_length=64, required=False, strip=True)
    credential = CredentialField(ATTESTATION)


class NameForm(PageForm):
    """What its owner calls an authenticator."""

    name = Text(max_length=64, required=False, strip=True)


class ConfirmForm(PageForm):
    """The mailed token, and the password typed at registration."""

    told_words: ClassVar = {Code.INVALID_CREDENTIALS: words.describe_other_password}
    told_at: ClassVar = {Code.INVALID_CREDENTIALS: "password"}
    token = MailedToken()
    password = Text()


class MailedForm(PageForm):
    """The mailed token alone."""

    token = MailedToken()


class CancelForm(MailedForm):
    """The token of a reset that waits."""

    told_words: ClassVar = {Code.INVALID_LINK: words.describe_dead_cancel}


class JoinForm(MailedForm):
    """The token of an invitation, and the password of the new account."""

    password = Text()


class BeginForm(PageForm):
    """A new authenticator; the mailed token where it is needed."""

    told_words: ClassVar = {Code.TEMPORARILY_LOCKED: words.describe_second_step_lock}
    name = Text(max_length=64, required=False, strip=True)
    token = MailedToken(required=False)


class ForgotForm(PageForm):
    """Whose password is to be reset."""

    email = Text(max_length=320, strip=True)


class ResetForm(PageForm):
    """The mailed token and the new password."""

    token = MailedToken()
    new_password = Text()


class PresentPasswordForm(PageForm):
    """What somebody who is signed in does with their password once more."""

    told_words: ClassVar = {
        Code.INVALID_CREDENTIALS: words.describe_wrong_password,
        Code.TEMPORARILY_LOCKED: words.describe_password_lock,
    }
    told_at: ClassVar = {Code.INVALID_CREDENTIALS: "current_password"}


class ChangeAddressForm(PresentPasswordForm):
    """The password and the address that is wanted."""

    new_email = Text(max_length=320, strip=True)
    current_password = Text()


class DeleteForm(PresentPasswordForm):
    """The password, and the address once more, so that nobody deletes an account by a slip."""

    email = Text(max_length=320, strip=True)
    current_password = Text()


class ChangePasswordForm(PresentPasswordForm):
    """Both passwords."""

    current_password = Text()
    new_password = Text()


class ReasonForm(PageForm):
    """Why an admin acts on an account."""

    told_words: ClassVar = {Code.VALIDATION_FAILED: words.describe_not_done}

    reason = Text(max_length=500, strip=True)


class NoteForm(PageForm):
    """What somebody found who looked into a detection."""

    note = Text(max_length=1000, strip=True)
