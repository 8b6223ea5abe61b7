"""What refusals and successes are called on a page: plain words, in the person's language."""

from typing import Final

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.events import Reason
from secure_auth.acting import Refused
from secure_auth.errors import Code, FieldError, Problem

# What the page before leaves for the next one to say, by the value of a cookie.
NOTICES: Final[dict[str, Promise]] = {
    "session-ended": gettext_lazy("Your session has ended. Sign in again to go on."),
    "signed-out": gettext_lazy("You are signed out."),
    "signed-in": gettext_lazy("Welcome. You are signed in."),
    "signed-in-few-codes": gettext_lazy("Welcome. You have few recovery codes left: make new ones."),
    "signed-in-no-codes": gettext_lazy("Welcome. That was your last recovery code: make new ones now."),
    "login-ended": gettext_lazy("That sign-in is over. Please start again."),
    "login-sent-twice": gettext_lazy(
        "That sign-in is over. You may be signed in already, if you pressed the button twice; else please start again."
    ),
    "sent-twice": gettext_lazy(
        "That was sent twice, or from a page older than your last confirmation. Look whether it is done already."
    ),
    "not-done-yet": gettext_lazy(
        "Nothing was done yet: confirm first that it is you, then send it once more."
    ),
    "password-changed": gettext_lazy("Your password is changed. All your other sessions are over."),
    "password-reset": gettext_lazy("Your new password is set. Sign in with it."),
    "authenticator-added": gettext_lazy("The authenticator is ready."),
    "authenticator-removed": gettext_lazy("The authenticator is removed."),
    "passkey-added": gettext_lazy("The passkey is ready."),
    "authenticator-renamed": gettext_lazy("The name is changed."),
    "codes-saved": gettext_lazy("Good. Keep your recovery codes in a safe place."),
    "codes-replaced": gettext_lazy(
        "Those recovery codes no longer work: newer ones were made. Keep the newest only."
    ),
    "enrolment-elsewhere": gettext_lazy(
        "This was begun once more in another tab. Scan the picture that is shown now, and type its code."
    ),
    "session-over": gettext_lazy("That session is over."),
    "sessions-over": gettext_lazy("All your other sessions are over."),
    "device-forgotten": gettext_lazy("That device is forgotten."),
    "enrol-needs-login": gettext_lazy(
        "Sign in first. If you came by a mailed link, open it once more after that."
    ),
    "address-asked": gettext_lazy(
        "We mailed a link to your old address and one to the new one. Your address changes when both were followed."
    ),
    "account-deleted": gettext_lazy(
        "Your account is deleted. What the audit log tells of it follows in a moment."
    ),
    "address-changed": gettext_lazy("Your address is changed. Sign in with the new one."),
    "address-waits": gettext_lazy(
        "Confirmed. Your address changes when the other mailbox has confirmed too."
    ),
    "reset-cancelled": gettext_lazy("The removal is cancelled. Your second factor stays."),
    "acknowledged": gettext_lazy("Your note is in the log."),
    "did-unlock": gettext_lazy("The account is unlocked."),
    "did-revoke-sessions": gettext_lazy("All sessions of the account are over."),
    "did-reset-mfa": gettext_lazy("The second factor is reset. Its owner enrols again at the next sign-in."),
    "reset-mfa-waits": gettext_lazy(
        "Nothing is removed yet: the reset waits, as this page shows. Its owner was told by mail and can cancel it."
    ),
    "did-cancel-reset-mfa": gettext_lazy(
        "The reset is cancelled. The second factor stays; its owner is told."
    ),
    "did-require-password-change": gettext_lazy(
        "The account must change its password before it does anything else. Its owner is told."
    ),
    "did-disable": gettext_lazy("The account is disabled."),
    "did-enable": gettext_lazy("The account is enabled."),
    "verification-asked": gettext_lazy("The verification begins in a moment."),
    "verification-under-way": gettext_lazy("A verification is under way already."),
}

# Those that are no success: what was wanted did not happen, or not yet.
WARNINGS: Final = frozenset(
    {
        "session-ended",
        "login-ended",
        "login-sent-twice",
        "sent-twice",
        "not-done-yet",
        "enrol-needs-login",
        "codes-replaced",
        "enrolment-elsewhere",
        "reset-mfa-waits",
        "verification-under-way",
    }
)

# Where a notice leads, and how that is called.
NOTICE_LINKS: Final[dict[str, tuple[str, Promise]]] = {
    "login-sent-twice": ("/", gettext_lazy("See whether you are signed in")),
    "codes-replaced": ("/recovery-codes/new/", gettext_lazy("Make new ones")),
}

PROBLEMS: Final[dict[Code, Promise]] = {
    Code.VALIDATION_FAILED: gettext_lazy("Something in this form is missing or not right."),
    Code.INVALID_LINK: gettext_lazy(
        "This link was used before, is too old or incomplete. Ask for a new one."
    ),
    Code.INVALID_CREDENTIALS: gettext_lazy("The address or the password is wrong."),
    Code.INVALID_CODE: gettext_lazy(
        "The code is wrong or was used before. Wait for the next one and try again."
    ),
    Code.INVALID_TOKEN: gettext_lazy("This step is over. Please sign in again."),
    Code.PERMISSION_DENIED: gettext_lazy("Your account may not do this."),
    Code.PASSWORD_CHANGE_REQUIRED: gettext_lazy("Change your password first."),
    Code.REGISTRATION_CLOSED: gettext_lazy("Accounts are made by the operators of this service only."),
    Code.TOO_MANY_AUTHENTICATORS: gettext_lazy(
        "You have as many authenticator apps as you may. Remove one that you no longer use."
    ),
    Code.CSRF_FAILED: gettext_lazy(
        "This page was open for too long, or you signed in or out in another tab. Nothing was done. Open the page "
        "again and repeat what you wanted to do."
    ),
    Code.NOT_FOUND: gettext_lazy("There is nothing here, or it is already gone."),
    Code.METHOD_NOT_ALLOWED: gettext_lazy("This page cannot be opened like this."),
    Code.LAST_AUTHENTICATOR: gettext_lazy(
        "This is your last authenticator. Add another one before you remove it."
    ),
    Code.PAYLOAD_TOO_LARGE: gettext_lazy("That is more than this page takes."),
    Code.UNSUPPORTED_MEDIA_TYPE: gettext_lazy("This page cannot be opened like this."),
    Code.RATE_LIMITED: gettext_lazy("Too many requests came from where you are."),
    Code.TEMPORARILY_LOCKED: gettext_lazy(
        "There were too many failed attempts. Use a device that you signed in on before, or reset the password by mail."
    ),
    Code.SERVICE_UNAVAILABLE: gettext_lazy("The service is busy. Nothing was done or lost."),
    Code.INTERNAL_ERROR: gettext_lazy("Something went wrong here. It was recorded."),
}

# A form whose sender has no cookie at all.
NO_COOKIES: Final = gettext_lazy(
    "This page was open for too long, or your browser keeps no cookies: nobody can sign in without them. Nothing was "
    "done. Allow cookies for this site and open the page again."
)

FAULTS: Final[dict[str, Promise]] = {
    "too_short": gettext_lazy("This is too short: at least %(least)d characters are needed."),
    "too_long": gettext_lazy("This is too long: at most %(most)d characters are taken."),
    "too_common": gettext_lazy("This password is among those that attackers try first. Choose another one."),
    "invalid": gettext_lazy("This is not right. Please check it."),
    "no_address": gettext_lazy(
        "This is no e-mail address that we can write to. One looks like name@example.org."
    ),
    "required": gettext_lazy("Please fill this in."),
    "breached": gettext_lazy(
        "This password is known from a breach: attackers try it first. Choose another one, here and wherever you use "
        "it."
    ),
    "unchanged": gettext_lazy("This is the present one. Choose another."),
    "passkey": gettext_lazy("The passkey gave no answer that fits. Try again."),
    "address": gettext_lazy("This is not the address of your account."),
}

# Of an admin's action, by what the log calls the cause; any other is that there is nothing to change.
NOT_DONE: Final[dict[Reason, Promise]] = {
    Reason.NOT_ALLOWED: gettext_lazy("Nothing was done: the account is in that state already."),
    Reason.LAST_ADMIN: gettext_lazy("Nothing was done: this is the last admin."),
    Reason.PENDING: gettext_lazy("Nothing was done: a reset is waiting already."),
    Reason.NOT_FOUND: gettext_lazy("Nothing was done: no reset is waiting."),
    Reason.ACCOUNT_DELETED: gettext_lazy("Nothing was done: the account was deleted meanwhile."),
}


def describe_problem(problem: Problem) -> str:
    """One or two sentences, with how long to wait where waiting helps."""
    return _with_wait(str(PROBLEMS.get(problem.code, PROBLEMS[Code.INTERNAL_ERROR])), problem)


def _with_wait(words: str, problem: Problem) -> str:
    seconds = problem.headers.get("Retry-After", "")
    return f"{words} {describe_wait(int(seconds))}" if seconds.isdigit() else words


def describe_wait(seconds: int) -> str:
    """When to try again."""
    if seconds < 60:
        return ngettext("Try again in %(n)d second.", "Try again in %(n)d seconds.", seconds) % {"n": seconds}
    minutes = -(-seconds // 60)
    if minutes < 120:
        return ngettext("Try again in %(n)d minute.", "Try again in %(n)d minutes.", minutes) % {"n": minutes}
    hours = -(-minutes // 60)
    return ngettext("Try again in %(n)d hour.", "Try again in %(n)d hours.", hours) % {"n": hours}


def describe_fault(fault: FieldError, *, field: str = "") -> str:
    """What is wrong with one field, and what would be right."""
    code = "no_address" if fault.code == "invalid" and field in ("email", "new_email") else fault.code
    words = str(FAULTS.get(code, FAULTS["invalid"]))
    return words % {"least": settings.PASSWORD_MIN_LENGTH, "most": settings.PASSWORD_MAX_LENGTH}


def describe_wrong_password(problem: Problem) -> str:
    """A wrong password of somebody who is signed in."""
    return _("The present password is wrong.")


def describe_not_done(problem: Problem) -> str:
    """An admin's action that the state of the account forbids."""
    reason = problem.__cause__.reason if isinstance(problem.__cause__, Refused) else Reason.NOT_ALLOWED
    return str(NOT_DONE.get(reason, NOT_DONE[Reason.NOT_ALLOWED]))


def describe_other_password(problem: Problem) -> str:
    """A wrong password where the mailed link alone says whose it is."""
    return _("This is not the password that you chose when you signed up.")


def describe_dead_cancel(problem: Problem) -> str:
    """A link that cancels nothing: nobody can ask for another."""
    return _(
        "This link is incomplete, too old or no longer needed: the removal was cancelled already, or it is done. "
        "Sign in to see which."
    )


def describe_password_lock(problem: Problem) -> str:
    """A lock of the password, met by somebody who is signed in: another device is no way out of it here."""
    return _with_wait(_("There were too many wrong passwords."), problem)


def describe_second_step_lock(problem: Problem) -> str:
    """A lock of the codes: other ways stay open."""
    return _with_wait(_("There were too many wrong codes. A recovery code still works."), problem)


def describe_wrong_code(problem: Problem) -> str:
    """A wrong code; at an enrolment, by how much the clock of the device is wrong if that is why."""
    offset = problem.members.get("clock_offset_seconds", 0)
    if not offset:
        return describe_problem(problem)
    minutes = max(1, round(abs(offset) / 60))
    if offset > 0:
        told = ngettext(
            "Your device's clock is about %(n)d minute ahead.",
            "Your device's clock is about %(n)d minutes ahead.",
            minutes,
        )
    else:
        told = ngettext(
            "Your device's clock is about %(n)d minute behind.",
            "Your device's clock is about %(n)d minutes behind.",
            minutes,
        )
    advice = _("Set it by the network, then type the next code.")
    return f"{told % {'n': minutes}} {advice}"


def describe_wrong_recovery_code() -> str:
    """A wrong recovery code, or one that was used."""
    return _("This recovery code is wrong or was used before. Try another one.")


def describe_recovery_lock(problem: Problem) -> str:
    """A lock of the recovery codes: no further one is looked at."""
    return _with_wait(_("There were too many wrong recovery codes."), problem)


def describe_too_many_passkeys(problem: Problem) -> str:
    """No room for another passkey."""
    return _("You have as many passkeys as you may. Remove one that you no longer use.")


def describe_refused_passkey(problem: Problem) -> str:
    """A passkey that was not accepted, for whatever reason."""
    return _("This passkey was not accepted. Try again, or use another way.")


def describe_kind(method: str) -> str:
    """What an authenticator is."""
    return _("Passkey") if method == "webauthn" else _("Authenticator app")
