"""Mail as rows: written in the transaction of what they report, sent by the worker, at least once.

A row names a template and the id of a token; the worker derives the token when it renders, so no live link is at
rest. An answer that must not tell a known address from an unknown one queues a decoy, so that both do the same work.
"""

from datetime import timedelta
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome
from secure_auth import links
from secure_auth.models import MailToken, OutboxMessage

log = structlog.get_logger(__name__)

DECOY = "decoy"
BATCH = 50
BACKOFF_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
PATHS = {
    MailToken.Purpose.CONFIRM: "/confirm/",
    MailToken.Purpose.RESET: "/reset/",
    MailToken.Purpose.ENROL: "/enrol/",
    MailToken.Purpose.INVITE: "/invited/",
}


def queue_mail(template: str, *, to: str, token: MailToken | None = None, **context: str) -> None:
    """Add a mail to the present transaction."""
    OutboxMessage.objects.create(template=template, to=to, token=token, context=context)


def render(row: OutboxMessage) -> EmailMessage:
    """The mail of a row: the template's first line is the subject."""
    context = {**row.context, "product": settings.PRODUCT_NAME, "origin": settings.ORIGIN, "to": row.to}
    if row.token:
        token = links.derive_token(row.token)
        path = PATHS[MailToken.Purpose(row.token.purpose)]
        context |= {"link": f"{settings.ORIGIN}{path}#token={token}"}
        context |= {"within": _in_words(row.token.expires_at - row.token.created_at)}
    subject, _, body = render_to_string(f"mail/{row.template}.txt", context).partition("\n")
    message_id = f"<{row.id}@secure-auth.invalid>"
    return EmailMessage(subject.strip(), body.lstrip(), to=[row.to], headers={"Message-ID": message_id})


def _in_words(ttl: timedelta) -> str:
    minutes = round(ttl.total_seconds() / 60)
    return f"{round(minutes / 60)} hours" if minutes >= 120 else f"{minutes} minutes"


def send_due() -> int:
    """Send the mails that are due; how many were handed over. Only the leading worker calls this.

    A crash between handing over and marking sends one mail twice: once too often beats never.
    """
    due = OutboxMessage.objects.filter(sent_at=None, failed_at=None, next_attempt_at__lte=timezone.now())
    rows = list(due.select_related("token").order_by("next_attempt_at")[:BATCH])
    return sum(send(row) for row in rows)


def send(row: OutboxMessage) -> bool:
    """Try one mail; a failure is put off with growing pauses, then given up visibly."""
    if row.template == DECOY:
        row.delete()
        return False
    row.attempts += 1
    try:
        render(row).send()
    except (OSError, SMTPException, ValueError) as error:
        log.warning(
            "mail.deferred",
            message=row.id,
            template=row.template,
            attempts=row.attempts,
            error=type(error).__name__,
        )
        _put_off(row, error)
        return False
    row.sent_at = timezone.now()
    row.save(update_fields=["attempts", "sent_at"])
    return True


def _put_off(row: OutboxMessage, error: Exception) -> None:
    """Try again later; after the last pause give up, which is an event."""
    with transaction.atomic():
        if row.attempts > len(BACKOFF_SECONDS):
            row.failed_at = timezone.now()
            append(
                NewEvent(
                    type=EventType.MAIL_FAIL,
                    outcome=Outcome.FAILURE,
                    source=SYSTEM,
                    details={"message": row.id, "template": row.template, "attempts": row.attempts},
                    text={"error": type(error).__name__},
                )
            )
        else:
            row.next_attempt_at = timezone.now() + timedelta(seconds=BACKOFF_SECONDS[row.attempts - 1])
        row.save(update_fields=["attempts", "failed_at", "next_attempt_at"])


def prune_sent(*, older_than_seconds: int = 7 * 86400) -> int:
    """Drop rows of mails sent long ago."""
    with transaction.atomic():
        cutoff = timezone.now() - timedelta(seconds=older_than_seconds)
        return OutboxMessage.objects.filter(sent_at__lt=cutoff).delete()[0]
