"""The background work: integrating and publishing the log, sending mail, resets of factors that
waited, closing tallies, pruning what is over.

It may run on every node; exactly one leads at a time. Each duty has a thread of its own, so that a mail server that
does not answer keeps no event from its place in the log, and a fault of one duty keeps no other from its work.
"""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection
from django.db.models import QuerySet
from django.utils import timezone

from audit import clocks, integrate, summary, tallies, textindex
from audit.append import close_tallies
from audit.detections import store
from mfa import ceremonies
from secure_auth import (
    clock_watch,
    detections,
    erasure,
    familiar,
    integration,
    lines,
    outbox,
    recovery,
    relying_party,
    retention,
    rings,
    rows,
    tailing,
    verifications,
    webhooks,
)
from secure_auth.console_tables import ConsoleVisit
from secure_auth.couriers import Dispatch, end_commands
from secure_auth.integration import Logbook
from secure_auth.lead import RENEW_SECONDS, TELL_AGAIN_SECONDS, Lead
from secure_auth.models import (
    AddressChange,
    FactorReset,
    KnownDevice,
    MailToken,
    PendingLogin,
    Registration,
    Session,
)
from secure_auth.stopping import Stop
from secure_auth.witnesses import Publisher
from throttling import limiter

log = structlog.get_logger(__name__)

SOON_SECONDS = 0.3  # what somebody waits for
IDLE_SECONDS = 1
REST_SECONDS = 10  # then a duty is done, whatever its look says
PRUNE_SECONDS = 300
PRUNE_BATCH = 200
RETENTION_SECONDS = 3600
TAIL_SECONDS = 5
FOLLOW_SECONDS = 5
STOP_SECONDS = 5  # then what waits for a mail server is left
END_SECONDS = 12  # then the process ends, whatever hangs
KEEP_ENDED = timedelta(days=1)


@dataclass(frozen=True)
class Duty:
    """Something to be done again and again: at once as long as there is more of it, else after a pause.

    With a look, a statement that answers a row where there is something to do, it is done when that says so: one
    statement for all looks (Lookout) costs a fraction of what each duty's own would, and most find nothing.
    """

    name: str
    act: Callable[[], object]
    pause_seconds: float = IDLE_SECONDS
    led: bool = True  # by the leader; else by everyone who does not lead
    look: str = ""  # each of its parameters is the present time
    wanted: threading.Event = field(default_factory=threading.Event)

    def rest(self, stop: Stop) -> None:
        """Wait until it is to be done again, or the worker stops."""
        if not stop.wait(self.pause_seconds) and self.look:
            self.wanted.wait(REST_SECONDS)
            self.wanted.clear()


class Lookout:
    """Sees for all duties that have a look whether there is anything to do."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = [duty for duty in duties if duty.look]
        self._statement = "SELECT " + ", ".join(f"({duty.look})" for duty in self._duties)

    def look(self) -> None:
        """Wake who is wanted; everyone where one look fails, for that is to keep nobody else from work."""
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        found: Sequence[object] | None = None
        try:
            found = rows.fetch_values(self._statement, [now] * self._statement.count("%s"))
        finally:
            for duty, answer in zip(self._duties, found or [True] * len(self._duties), strict=True):
                if answer is not None:
                    duty.wanted.set()


def duties(publisher: Publisher) -> list[Duty]:
    """All that the worker does."""
    logbook = Logbook()
    found = [
        Duty("integrate", logbook.advance, SOON_SECONDS, look=integrate.WAITING),
        Duty("mail", outbox.send_due, SOON_SECONDS, look=outbox.DUE),
        Duty("factor_resets", recovery.act_due, look=recovery.DUE),
        Duty("tallies", close_tallies, look=tallies.DUE),
        Duty("summary", summary.advance, look=summary.BEHIND),
        *([Duty("text_index", textindex.advance, look=textindex.BEHIND)] if textindex.is_available() else []),
        Duty("witnesses", publisher.publish_due),
        Duty("couriers", Dispatch().bring_newest),
        Duty("detections", detections.advance, look=store.BEHIND),
        *(Duty("webhooks", lane.send_due, look=lane.due) for lane in webhooks.lanes()),
        Duty("deletions", erasure.finish_deletions, look=erasure.DUE),
        Duty("tails", tailing.end_lost, TAIL_SECONDS),
        Duty("verifications", verifications.Runner().advance, look=verifications.ASKED),
        Duty("prune", prune, PRUNE_SECONDS),
        Duty("retention", retention.prune_due, RETENTION_SECONDS),
        Duty("keep", logbook.follow, FOLLOW_SECONDS, led=False),
    ]
    return [*found, Duty("look", Lookout(found).look, SOON_SECONDS)]


def work() -> None:
    """Work until SIGTERM or SIGINT; what hangs then ends by SIGALRM."""
    stop = Stop()

    def end(*_: object) -> None:
        stop.set()
        signal.alarm(END_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    lines.write_to_standard_output(by_thread=True)
    try:
        run(stop)
    finally:
        lines.finish()


def run(stop: Stop) -> None:
    """Work until told to stop."""
    publisher = Publisher()
    attempt(Duty("confirm", publisher.confirm))
    lead, clock = Lead(), Duty("clock", clock_watch.Watch().look)
    lead.renew()
    all_ = duties(publisher)
    threads = [
        threading.Thread(target=_repeat, args=(duty, lead, stop), name=duty.name, daemon=True)
        for duty in all_
    ]
    for thread in threads:
        thread.start()
    try:
        while not stop.wait(RENEW_SECONDS):
            lead.renew()
            attempt(clock)
            close_old_connections()
    finally:
        stop.set()
        for duty in all_:
            duty.wanted.set()
        until = time.monotonic() + STOP_SECONDS  # for all: whom a supervisor kills leaves what follows undone
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        end_commands()
        lead.release()


def _repeat(duty: Duty, lead: Lead, stop: Stop) -> None:
    while not stop.is_set():
        if lead.is_held != duty.led:
            stop.wait(SOON_SECONDS)
            continue
        busy = attempt(duty)
        close_old_connections()
        if not busy:
            duty.rest(stop)
    connection.close()


def attempt(duty: Duty) -> bool:
    """Do one duty; whether it did something. A database or a disk that is away is waited for."""
    try:
        return bool(duty.act())
    except (Error, OSError) as error:
        if _is_to_be_told(duty, error):
            log.warning("worker.duty_failed", duty=duty.name, error=type(error).__name__)
    except Exception as error:  # a mistake of ours must not end the thread: nobody would start it again
        if _is_to_be_told(duty, error):
            log.exception("worker.duty_broken", duty=duty.name)
    return False


_silent_until: dict[tuple[str, str], float] = {}  # by duty and error


def _is_to_be_told(duty: Duty, error: Exception) -> bool:
    """Once a minute: a disk that is full is not filled further by lines that say so."""
    now, what = time.monotonic(), (duty.name, type(error).__name__)
    if now < _silent_until.get(what, 0.0):
        return False
    _silent_until[what] = now + TELL_AGAIN_SECONDS
    return True


def prune() -> None:
    """Delete what is over: limits, windows of floods, tokens, pending logins, challenges, registrations, sessions,
    devices, sent mail, checkpoints. A fault of one step keeps no other from its work.
    """
    now = clocks.earlier_now()
    ended, unanswered = now - KEEP_ENDED, now - KEEP_ENDED - timedelta(seconds=settings.CONFIRM_LINK_SECONDS)
    steps: dict[str, Callable[[], object]] = {
        "limits": limiter.prune,
        "tallies": tallies.end_distant,
        "signing_keys": rings.destroy_outlived,
        "passkeys": relying_party.reseal_passkeys,
        "keys": rings.destroy_unborne,
        "mail": outbox.prune_sent,
        "distant_mail": outbox.hasten_distant,
        "checkpoints": integration.thin_out,
        "webhooks": webhooks.prune_sent,
        "distant_webhooks": webhooks.hasten_distant,
        "verifications": partial(verifications.prune, now),
        "familiar": partial(familiar.prune, now),
        "ceremonies": partial(ceremonies.prune, now),
    }
    over: dict[str, QuerySet[Any]] = {
        "pending_logins": PendingLogin.objects.filter(expires_at__lt=ended),
        "mail_tokens": MailToken.objects.filter(expires_at__lt=ended),
        "factor_resets": FactorReset.objects.filter(settled_at__lt=ended),
        "address_changes": AddressChange.objects.filter(created_at__lt=unanswered),
        "registrations": Registration.objects.filter(created_at__lt=unanswered),
        "sessions": Session.objects.filter(expires_at__lt=ended),
        "devices": KnownDevice.objects.filter(expires_at__lt=ended),
        "console_visits": ConsoleVisit.objects.filter(seen_at__lt=ended),
    }
    steps |= {name: partial(_delete, found) for name, found in over.items()}
    for name, step in steps.items():
        attempt(Duty(f"prune {name}", step))


def _delete(chosen: QuerySet[Any]) -> None:
    """With all that hangs on them, PRUNE_BATCH a transaction: on SQLite whoever signs in waits for each."""
    while found := list(chosen.values_list("pk", flat=True)[:PRUNE_BATCH]):
        chosen.filter(pk__in=found).delete()
