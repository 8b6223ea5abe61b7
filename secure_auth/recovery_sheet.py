"""New recovery codes of somebody who is signed in, and the sheet to print (NIST SP 800-63B-4 section 4.2.1.1)."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.append import append
from audit.events import EventType, Reason, Source
from mfa import recovery_codes
from secure_auth import factors, grants, outbox, pending
from secure_auth.grants import Grant


def replace_recovery_codes(*, grant: Grant, source: Source) -> list[str]:
    """Ten new codes for a freshly signed-in person; the old ones are dead.

    Raises:
        Problem: reauthentication_required, or invalid_token when the session ended meanwhile: its holder must not keep
            a factor.
    """
    codes, user = [], grant.user
    with transaction.atomic():
        refusal = grants.judge_right(grant)
        if refusal:
            reason = grants.why(refusal, Reason.SESSION_ENDED)
            append(grants.failure(EventType.MFA_RECOVERY_CODES_GENERATE, grant, reason, source))
        else:
            codes = factors.replace_recovery_codes(user.pk)
            pending.bump_credentials(user.pk)
            outbox.queue_mail("recovery_codes", to=user.email)
            append(grants.success(EventType.MFA_RECOVERY_CODES_GENERATE, grant, "", source))
    if refusal:
        raise refusal
    return codes


def mark_codes(codes: list[str], *, user_id: str) -> str:
    """What tells these codes from all that the account had or gets; empty where newer ones took their place."""
    digests = factors.digests_of_code(user_id)(recovery_codes.normalize_code(codes[0]) or "")
    return next(iter(recovery_codes.kept_digests(user_id).intersection(digests)), "")


def are_present(mark: str, *, user_id: str) -> bool:
    """Whether the codes with this mark still are those of the account."""
    return mark in recovery_codes.kept_digests(user_id)


def print_sheet(codes: list[str], *, email: str) -> str:
    """The codes as a plain text to print or to keep in a password manager."""
    numbered = [f"{number:4}.  {code}" for number, code in enumerate(codes, 1)]
    lines = [
        f"Recovery codes of {email} at {settings.PRODUCT_NAME} ({settings.ORIGIN})",
        f"Made on {timezone.now():%Y-%m-%d}. Older codes no longer work.",
        "",
        *numbered,
        "",
        "Each code signs in once, together with the password, in place of the authenticator. Strike out what you used.",
        "Keep this sheet apart from your password. New codes are made when you are signed in; they replace these.",
    ]
    return "".join(f"{line}\n" for line in lines)
