"""The forms of the pages: what they take is judged by the same use cases as the API's bodies."""

from types import TracebackType
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest

from secure_auth.errors import Code, Problem
from secure_auth.web import words

# Not the fault of what was typed: the whole page says so.
ELSEWHERE = frozenset({Code.INVALID_TOKEN, Code.CSRF_FAILED, Code.PERMISSION_DENIED, Code.NOT_FOUND})


class Text(forms.CharField):
    """A string that is taken as it is; blanks stay."""

    def __init__(self, **options: Any) -> None:
        messages = {"required": words.FAULTS["required"], "max_length": words.FAULTS["invalid"]}
        super().__init__(**{"strip": False, "max_length": 1024, "error_messages": messages, **options})


class PageForm(forms.Form):
    """A form that tells refusals of the use case it is sent to beside its fields.

        form = SignInForm(request)
        with form:
            use_case(**form.fields_sent())
            return lead_to(...)
        return render_page(request, ..., status=form.status)

    What a Problem says is shown on the form, and the answer has the status that the API's would have.
    """

    locked_words: ClassVar[Any] = staticmethod(words.describe_problem)

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
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
                self.add_error(name if name in self.fields else None, words.describe_fault(fault))
        if not self.errors:
            locked = error.code is Code.TEMPORARILY_LOCKED
            told = self.locked_words(error) if locked else words.describe_problem(error)
            self.add_error(None, told)
        return True

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

    locked_words = staticmethod(words.describe_second_step_lock)
    code = Text(max_length=64)


class SecondStepForm(CodeForm):
    """The second step."""

    remember_device = forms.BooleanField(required=False)


class ConfirmForm(PageForm):
    """The mailed token, and the password typed at registration."""

    token = Text(max_length=256, strip=True)
    password = Text()


class MailedForm(PageForm):
    """The mailed token alone."""

    token = Text(max_length=256, strip=True)


class JoinForm(MailedForm):
    """The token of an invitation, and the password of the new account."""

    password = Text()


class BeginForm(PageForm):
    """A new authenticator; the mailed token where it is needed."""

    name = Text(max_length=64, required=False, strip=True)
    token = Text(max_length=256, required=False, strip=True)


class ForgotForm(PageForm):
    """Whose password is to be reset."""

    email = Text(max_length=320, strip=True)


class ResetForm(PageForm):
    """The mailed token and the new password."""

    token = Text(max_length=256, strip=True)
    new_password = Text()


class ChangePasswordForm(PageForm):
    """Both passwords."""

    current_password = Text()
    new_password = Text()
