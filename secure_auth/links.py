"""One-time tokens that mails carry, and what they prove.

A token is its row's id and a keyed digest of it. Nothing that works is stored: the mail is rendered from the id. Each
is good for one purpose, once, for a short time; spending it is one conditional UPDATE in the use case's transaction.
"""

import hmac
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from secure_auth import keys
from secure_auth.models import AddressChange, FactorReset, MailToken, Registration, User

DAY_SECONDS = 86400
TTL_SECONDS = {
    MailToken.Purpose.CONFIRM: settings.CONFIRM_LINK_SECONDS,
    MailToken.Purpose.RESET: settings.RESET_LINK_SECONDS,
    MailToken.Purpose.ENROL: settings.ENROLMENT_LINK_SECONDS,
    MailToken.Purpose.INVITE: settings.INVITATION_HOURS * 3600,
    MailToken.Purpose.OLD_ADDRESS: settings.CONFIRM_LINK_SECONDS,
    MailToken.Purpose.NEW_ADDRESS: settings.CONFIRM_LINK_SECONDS,
    MailToken.Purpose.CANCEL_RESET: 2
    * max(settings.RESET_MFA_DELAY_SECONDS, DAY_SECONDS),  # dead when it is settled
}


def create_link(
    purpose: MailToken.Purpose,
    *,
    user: User | None = None,
    registration: Registration | None = None,
    change: AddressChange | None = None,
    reset: FactorReset | None = None,
) -> MailToken:
    """A row whose token the worker will mail, about one thing. Neither user nor registration: a decoy."""
    return MailToken.objects.create(
        purpose=purpose,
        key_id=keys.digest_kid(),
        user=user,
        registration=registration,
        change=change,
        reset=reset,
        expires_at=timezone.now() + timedelta(seconds=TTL_SECONDS[purpose]),
    )


def kill_links(user_id: str, *purposes: MailToken.Purpose, now: datetime) -> None:
    """Mailed tokens of an account die with the credentials that they were asked for."""
    MailToken.objects.filter(user_id=user_id, purpose__in=purposes, used_at=None).update(used_at=now)


def may_mail_again(user: User, purpose: MailToken.Purpose, *, now: datetime) -> bool:
    """Whether the limit on mail to an address leaves room, for mail that a login asks for.

    Exact because the caller holds the account's lock; the limiter decides outside transactions only.
    """
    limit = settings.LIMITS["mail_address"]
    since = now - timedelta(seconds=limit.window_seconds)
    sent = MailToken.objects.filter(user=user, purpose=purpose, created_at__gt=since).count()
    return bool(sent < limit.allowed)


def derive_token(link: MailToken) -> str:
    """The token of a row, as the mail's link carries it."""
    return f"{link.id}.{keys.digest('mail', link.purpose, link.id, kid=link.key_id)[:43]}"


def find_link(token: str, *purposes: MailToken.Purpose, now: datetime) -> MailToken | None:
    """The live row of a token for one of these purposes, with what it is about; None for a wrong, used or old one."""
    link_id, _, _ = token.partition(".")
    link = (
        MailToken.objects.select_related("user", "registration", "change", "reset")
        .filter(pk=link_id[:36], purpose__in=purposes, used_at=None, expires_at__gt=now)
        .first()
    )
    if link is None or not hmac.compare_digest(derive_token(link).encode(), token.encode()):
        return None
    return link


def spend_link(link: MailToken, *, now: datetime) -> bool:
    """Use up a row; False when another request was faster."""
    return bool(MailToken.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now))


def give_back(link: MailToken) -> None:
    """Undo spend_link() in the same transaction."""
    MailToken.objects.filter(pk=link.pk).update(used_at=None)
