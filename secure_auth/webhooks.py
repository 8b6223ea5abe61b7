"""Detections pushed to other systems, as Standard Webhooks says (standardwebhooks.com, specification 1.0.0).

A message is a row, written in the transaction that raises the detection and sent by the worker: at least once, always
with the same `webhook-id`, by which a receiver knows a double. It holds no personal data, only ids. Receivers are the
operator's own setting; no redirect is followed, no answer is read, and only 2xx counts as taken.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from urllib.parse import urlsplit

import httpx
import structlog
from django.conf import settings
from django.db import close_old_connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from audit import clocks
from audit.append import NewEvent, append
from audit.detections.reading import summarize
from audit.detections.tables import Detection, WebhookMessage
from audit.events import SYSTEM, EventType, Outcome, Reason
from audit.validation import rfc3339
from secure_auth.models import new_id
from secure_auth.outgoing import Caller

log = structlog.get_logger(__name__)

BATCH = 50
ALL = Q()
DUE = (
    "SELECT 1 FROM audit_webhookmessage WHERE sent_at IS NULL AND failed_at IS NULL AND next_attempt_at <= %s"
)
TIMEOUT_SECONDS = 5
DEADLINE_SECONDS = 10  # of one attempt
CLAIM_SECONDS = 60  # a sender that died holds a message back for so long
BACKOFF_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
LONGEST_PAUSE = timedelta(seconds=1.25 * max(BACKOFF_SECONDS))
GIVE_UP_AFTER = timedelta(days=1)
KEEP_SENT = timedelta(days=7)


def queue(detections: Sequence[Detection]) -> None:
    """Add a message for every receiver to the present transaction."""
    now = timezone.now()
    WebhookMessage.objects.bulk_create(
        WebhookMessage(
            id=f"msg_{new_id()}",
            endpoint=endpoint_of(url),
            detection=detection.id,
            body=_body(detection),
            queued_at=now,
            next_attempt_at=now,
        )
        for detection in detections
        for url in settings.WEBHOOKS.urls
    )


def _body(detection: Detection) -> str:
    url = f"{settings.ORIGIN}/api/v1/audit/detections/{detection.id}/"
    message = {
        "type": EventType.DETECTION_RAISE,
        "timestamp": rfc3339(detection.raised_at),
        "data": {**summarize(detection), "url": url},
    }
    return json.dumps(message, separators=(",", ":"))


def endpoint_of(url: str) -> str:
    """What a receiver is known by in a row: its URL may itself be a secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def host_of(endpoint: str) -> str:
    """The host of a receiver, for people; empty when it is no longer set."""
    url = _urls().get(endpoint, "")
    return urlsplit(url).netloc


def _urls() -> dict[str, str]:
    return {endpoint_of(url): url for url in settings.WEBHOOKS.urls}


def sign(message_id: str, timestamp: int, body: str) -> str:
    """The value of `webhook-signature`: one signature for each secret, divided by blanks."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    digests = (hmac.digest(secret, signed, "sha256") for secret in settings.WEBHOOKS.secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


@dataclass(frozen=True)
class Lane:
    """The messages that wait for one another: those to one receiver, or to those that are set no longer."""

    due: str  # as DUE
    which: Q

    def send_due(self) -> int:
        """How many were taken."""
        return send_due(self.which)


def lanes() -> list[Lane]:
    """A receiver that hangs keeps no other from what is sent to it."""
    known = list(_urls())
    each = [Lane(f"{DUE} AND endpoint = '{one}' LIMIT 1", Q(endpoint=one)) for one in known]
    others = " AND endpoint <> ".join([DUE, *(f"'{one}'" for one in known)])
    return [*each, Lane(f"{others} LIMIT 1", ~Q(endpoint__in=known))]


def send_due(which: Q = ALL) -> int:
    """Send the messages that are due; how many were taken.

    A receiver that fails is asked again after a pause, with one message; its others wait for that.
    """
    due = WebhookMessage.objects.filter(
        which, sent_at=None, failed_at=None, next_attempt_at__lte=timezone.now()
    )
    taken, broken = 0, set()
    for row in due.order_by("next_attempt_at", "id")[:BATCH]:
        if row.endpoint in broken or not _claim(row):
            continue
        reason, error = _send(row)
        if reason is None:
            taken += 1
            WebhookMessage.objects.filter(pk=row.pk).update(sent_at=timezone.now(), error="")
            continue
        log.warning("webhook.deferred", message=row.id, attempts=row.attempts, error=error)
        broken.add(row.endpoint)
        _put_off(row, reason, error)
    return taken


def _claim(row: WebhookMessage) -> bool:
    """Take a message from all other senders; False where one of them has it."""
    now = timezone.now()
    due = WebhookMessage.objects.filter(sent_at=None, failed_at=None, next_attempt_at__lte=now)
    mine = due.filter(pk=row.pk, attempts=row.attempts)
    until = now + timedelta(seconds=CLAIM_SECONDS)
    row.attempts += 1
    return bool(mine.update(attempts=F("attempts") + 1, next_attempt_at=until))


def _send(row: WebhookMessage) -> tuple[Reason | None, str]:
    """Try once; why it was not taken, None when it was, and what stood in the way."""
    url = _urls().get(row.endpoint)
    if url is None:
        return Reason.NOT_FOUND, "WEBHOOK_URL names this receiver no longer"
    now = int(timezone.now().timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": "secure-auth",
        "webhook-id": row.id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(row.id, now, row.body),
    }
    close_old_connections()  # gives a pooled connection back: waiting holds none
    caller = Caller(DEADLINE_SECONDS, timeout=TIMEOUT_SECONDS, trust_env=False, verify=_trust())
    try:
        with (
            contextlib.closing(caller),
            caller.ask("POST", url, content=row.body.encode(), headers=headers) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Reason.UNAVAILABLE, type(error).__name__
    return (None, "") if 200 <= status < 300 else (Reason.REJECTED, f"status {status}")


@cache
def _trust() -> ssl.SSLContext:
    """The system's authorities."""
    return ssl.create_default_context()


def _put_off(row: WebhookMessage, reason: Reason, error: str) -> None:
    """Try again later, with all that waits for this receiver; what was tried or has waited for too long is given up."""
    pause = BACKOFF_SECONDS[min(row.attempts, len(BACKOFF_SECONDS)) - 1] * random.uniform(0.75, 1.25)  # noqa: S311
    now = timezone.now()
    later = now + timedelta(seconds=pause)
    waiting = WebhookMessage.objects.filter(endpoint=row.endpoint, sent_at=None, failed_at=None)
    with transaction.atomic():
        too_old = row.queued_at < now - GIVE_UP_AFTER
        if reason is Reason.NOT_FOUND or too_old or row.attempts > len(BACKOFF_SECONDS):
            _give_up(row, reason, error)
        old = waiting.filter(queued_at__lt=now - GIVE_UP_AFTER, next_attempt_at__lte=now)
        for each in old.order_by("id")[:BATCH]:
            _give_up(each, reason, error)
        waiting.filter(next_attempt_at__lte=now).update(next_attempt_at=later)
        waiting.filter(pk=row.pk).update(next_attempt_at=later, error=error)


def _give_up(row: WebhookMessage, reason: Reason, error: str) -> None:
    """Unless another sender was done with it meanwhile: this one may have been stopped for longer than its claim."""
    waiting = WebhookMessage.objects.filter(pk=row.pk, sent_at=None, failed_at=None)
    if waiting.update(failed_at=timezone.now(), error=error):
        append(_event(EventType.WEBHOOK_FAIL, row, Outcome.FAILURE, reason, {"error": error}))


def _event(
    kind: EventType, row: WebhookMessage, outcome: Outcome, reason: Reason, text: dict[str, str]
) -> NewEvent:
    details = {"message": row.id, "detection": row.detection, "attempts": row.attempts}
    return NewEvent(type=kind, outcome=outcome, reason=reason, source=SYSTEM, details=details, text=text)


def list_unsent() -> list[WebhookMessage]:
    """What waits or was given up, oldest first."""
    return list(WebhookMessage.objects.filter(sent_at=None).order_by("id"))


def retry(message_id: str, *, note: str) -> bool:
    """Take a message from the dead letters and send it anew; False when it is not one. It is an event."""
    now = timezone.now()
    dead = WebhookMessage.objects.filter(pk=message_id, sent_at=None).exclude(failed_at=None)
    with transaction.atomic():
        row = dead.first()
        if row is None or not dead.update(failed_at=None, attempts=0, queued_at=now, next_attempt_at=now):
            return False
        text = {"note": note} if note else {}
        append(_event(EventType.WEBHOOK_RETRY, row, Outcome.SUCCESS, Reason.BY_COMMAND, text))
    return True


def hasten_distant() -> int:
    """Try soon what a worker put off whose clock was ahead: no pause is so long. How many messages."""
    now = timezone.now()
    distant = WebhookMessage.objects.filter(
        sent_at=None, failed_at=None, next_attempt_at__gt=now + LONGEST_PAUSE
    )
    return distant.update(next_attempt_at=now)


def prune_sent() -> int:
    """Drop rows of messages taken long ago."""
    return WebhookMessage.objects.filter(sent_at__lt=clocks.earlier_now() - KEEP_SENT).delete()[0]
