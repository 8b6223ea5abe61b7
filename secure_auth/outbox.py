"""Mail as rows: written in the transaction of what they report, sent by the worker, at least once.

A row names a template and the id of a token; the worker derives the token when it renders, so no live link is at
rest. An answer that must not tell a known address from an unknown one queues a decoy, so that both do the same work.
What a server refuses for good, and what it did not take after the last pause, is a dead letter: an event, a gauge of
the metrics, and a line of `manage.py outbox`, until an operator sends it anew or drops it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException

import structlog
from anymail.exceptions import AnymailError, AnymailRecipientsRefused, AnymailUnsupportedFeature
from django.core.mail import EmailMultiAlternatives
from django.db import Error, transaction
from django.db.models import Case, F, Q, QuerySet, When, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from audit import clocks
from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason
from secure_auth import letters, metrics
from secure_auth.models import MailToken, OutboxMessage
from secure_auth.smtp import AsciiOnly

log = structlog.get_logger(__name__)

DECOY = "decoy"
BATCH = 50
DECOYS = 1000  # dropped at once
FEW = 5  # mails of one recipient before those of others
DUE = """SELECT 1 FROM secure_auth_outboxmessage
          WHERE sent_at IS NULL AND failed_at IS NULL AND (attempts = 0 OR next_attempt_at <= %s) LIMIT 1"""
CLAIM_SECONDS = 120  # a sender that died holds a mail back for so long; longer than any server is waited for
BACKOFF_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
LONGEST_PAUSE = timedelta(seconds=max(BACKOFF_SECONDS))
TAKEN = {"sent", "queued"}  # of what django-anymail reports of a recipient
REFUSED_FOR_GOOD = (
    400,
    406,
    422,
)  # by the API of a provider; 401 and 403 are the operator's mistake, and pass


class NotTaken(ValueError):
    """A provider's answer that neither refuses a mail nor takes it."""


def queue_mail(template: str, *, to: str, token: MailToken | None = None, **context: str) -> None:
    """Add a mail to the present transaction."""
    OutboxMessage.objects.create(template=template, to=to, token=token, context=context)


def queue_mail_once(once: str, template: str, *, to: str, **context: str) -> None:
    """Add a mail to the present transaction, unless one with this key is there or was sent lately."""
    row = OutboxMessage(template=template, to=to, context=context, once=once)
    OutboxMessage.objects.bulk_create([row], ignore_conflicts=True)


def send_due() -> int:
    """Send the mails that are due; how many were handed over. Only the leading worker calls this.

    A crash between handing over and marking sends one mail twice: once too often beats never. One that was not tried
    yet is due whatever its time says: the node that wrote it may be ahead, and a link or a warning would wait for that.
    """
    decoys = _unsent().filter(template=DECOY).values_list("pk", flat=True)[:DECOYS]
    OutboxMessage.objects.filter(pk__in=list(decoys)).delete()
    return sum(send(row) for row in _next_due() if _claim(row))


def _next_due() -> list[OutboxMessage]:
    """What goes next: of each recipient a FEW at a time; of these, confirmations last.

    Else an account that has mails written to itself, and strangers who register any addresses, hold up everybody's.
    """
    due = _unsent().exclude(template=DECOY).filter(Q(attempts=0) | Q(next_attempt_at__lte=timezone.now()))
    place = Window(RowNumber(), partition_by="to", order_by=("next_attempt_at", "id"))
    is_confirmation = Case(When(template="confirm", then=1), default=0)
    in_turn = due.annotate(turn=(place - 1) / FEW, is_confirmation=is_confirmation).order_by(
        "turn", "is_confirmation", "next_attempt_at", "id"
    )
    ids = list(in_turn.values_list("pk", flat=True)[:BATCH])
    rows = OutboxMessage.objects.select_related("token").in_bulk(ids)
    return [rows[one] for one in ids if one in rows]


def _claim(row: OutboxMessage) -> bool:
    """Take a row, so that a second leader does not send it at the same time; False when somebody else has."""
    later = timezone.now() + timedelta(seconds=CLAIM_SECONDS)
    same = _unsent().filter(pk=row.pk, next_attempt_at=row.next_attempt_at)
    row.attempts += 1
    return bool(same.update(attempts=F("attempts") + 1, next_attempt_at=later))


def send(row: OutboxMessage) -> bool:
    """Try one mail that was claimed; a failure is put off with growing pauses, then given up visibly."""
    try:
        _hand_over(letters.write(row, now=timezone.now()))
    except letters.Unusable:
        _give_up(row, Reason.EXPIRED, "the link is over")
    except Error:
        raise
    except (OSError, SMTPException, AnymailError, ValueError) as error:
        _defer(row, error)
    except Exception as error:  # one mail that cannot be rendered must not hold up all others
        log.exception("mail.broken", message=row.id, template=row.template)
        _defer(row, error)
    else:
        mark_sent(row)
        return True
    return False


def _hand_over(message: EmailMultiAlternatives) -> None:
    """Give a mail to the server or provider.

    Raises:
        NotTaken: a provider answered without saying that it takes the mail, which is no error to django-anymail.
    """
    message.send()
    told = getattr(message, "anymail_status", None)
    if told is not None and not told.message_id and not (told.status or set()) & TAKEN:
        raise NotTaken


def mark_sent(row: OutboxMessage) -> None:
    """Never again, and what it said goes. A crash before this line sends it once more, with the same Message-ID."""
    OutboxMessage.objects.filter(pk=row.pk).update(sent_at=timezone.now(), error="", context={})


def _defer(row: OutboxMessage, error: Exception) -> None:
    """Try again later; after the last pause, or when the server refused for good, give up."""
    told = describe(error)
    log.warning("mail.deferred", message=row.id, template=row.template, attempts=row.attempts, error=told)
    if is_final(error):
        _give_up(row, Reason.REJECTED, told)
    elif row.attempts > len(BACKOFF_SECONDS):
        _give_up(row, Reason.UNAVAILABLE, told)
    else:
        later = timezone.now() + timedelta(seconds=BACKOFF_SECONDS[row.attempts - 1])
        _unsent().filter(pk=row.pk).update(next_attempt_at=later, error=told)


def describe(error: Exception) -> str:
    """The class of an error and the server's number; never its words, which may repeat an address."""
    code = status_of(error)
    return f"{type(error).__name__}{f' {code}' if code else ''}"[:64]


def status_of(error: Exception) -> int:
    """The number of a server's refusal (RFC 5321 section 4.2, or of HTTP); 0 where it gave none."""
    if isinstance(error, SMTPRecipientsRefused):
        return next((int(code) for code, _ in error.recipients.values()), 0)
    return int(getattr(error, "smtp_code", 0) or getattr(error, "status_code", 0) or 0)


def is_final(error: Exception) -> bool:
    """Whether to ask again is in vain: this recipient or this content is refused, not us."""
    code = status_of(error)
    if isinstance(error, SMTPRecipientsRefused | SMTPDataError):
        return 500 <= code < 600
    if isinstance(error, SMTPResponseException):
        return False
    return isinstance(error, AnymailRecipientsRefused | AnymailUnsupportedFeature | AsciiOnly) or (
        isinstance(error, AnymailError) and code in REFUSED_FOR_GOOD
    )


def _give_up(row: OutboxMessage, reason: Reason, told: str) -> None:
    """Make a dead letter, and its event."""
    with transaction.atomic():
        now = timezone.now()
        if _unsent().filter(pk=row.pk).update(failed_at=now, error=told):
            append(_event(EventType.MAIL_FAIL, row, Outcome.FAILURE, reason, {"error": told}))


def _event(
    kind: EventType, row: OutboxMessage, outcome: Outcome, reason: Reason, text: dict[str, str]
) -> NewEvent:
    details = {"message": row.id, "template": row.template, "attempts": row.attempts}
    return NewEvent(type=kind, outcome=outcome, reason=reason, source=SYSTEM, details=details, text=text)


def _unsent() -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(sent_at=None, failed_at=None)


def list_unsent() -> list[OutboxMessage]:
    """What waits or was given up, oldest first."""
    return list(OutboxMessage.objects.filter(sent_at=None).exclude(template=DECOY).order_by("id"))


def _dead() -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(sent_at=None, failed_at__isnull=False)


def retry(message_id: str, *, note: str) -> int:
    """Take a dead letter, or `all`, and send it anew; how many. Each is an event."""
    return _act_on_dead(message_id, EventType.MAIL_RETRY, note)


def drop(message_id: str, *, note: str) -> int:
    """Delete a dead letter; how many. It is an event."""
    return _act_on_dead(message_id, EventType.MAIL_DROP, note)


def _act_on_dead(message_id: str, kind: EventType, note: str) -> int:
    with transaction.atomic():
        dead = _dead().select_for_update().order_by("pk")  # of two operators one acts on each
        rows = list(dead if message_id == "all" else dead.filter(pk=message_id))
        chosen = OutboxMessage.objects.filter(pk__in=[row.pk for row in rows])
        if kind is EventType.MAIL_DROP:
            chosen.delete()
        else:
            chosen.update(failed_at=None, attempts=0, next_attempt_at=timezone.now(), error="")
        text = {"note": note} if note else {}
        append(*(_event(kind, row, Outcome.SUCCESS, Reason.BY_COMMAND, text) for row in rows))
    return len(rows)


def prune_sent(*, older_than_seconds: int = 7 * 86400) -> int:
    """Drop rows of mails sent long ago."""
    with transaction.atomic():
        cutoff = clocks.earlier_now() - timedelta(seconds=older_than_seconds)
        return OutboxMessage.objects.filter(sent_at__lt=cutoff).delete()[0]


def hasten_distant() -> int:
    """Try soon what a worker put off whose clock was ahead: no pause is so long. How many mails."""
    now = timezone.now()
    return _unsent().filter(next_attempt_at__gt=now + LONGEST_PAUSE).update(next_attempt_at=now)


def oldest_waiting(now: datetime) -> float:
    """For how many seconds the oldest mail has waited."""
    oldest = _unsent().order_by("created_at").values_list("created_at", flat=True).first()
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


class MailState(Collector):
    """The outbox as all nodes see it, read when it is asked for. Without the database it tells nothing."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What waits, how long, and what was given up."""
        try:
            waiting, dead, seconds = _unsent().count(), _dead().count(), oldest_waiting(timezone.now())
        except Error:
            return
        yield metrics.gauge("mail_waiting", "Mails that wait to be sent.", waiting)
        yield metrics.gauge("mail_waiting_seconds", "How long the oldest of them has waited.", seconds)
        yield metrics.gauge("mail_dead", "Mails that were given up.", dead)


metrics.STATE.register(MailState())
