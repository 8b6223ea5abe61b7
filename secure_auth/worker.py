"""The background work: sending mail, closing tallies of the log, pruning what is over.

It may run on every node; exactly one leads at a time. The lead is a lock that its holder cannot keep beyond its own
death: a PostgreSQL session lock on a connection of its own, or a flock beside the embedded database.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from datetime import timedelta

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from audit.append import close_tallies
from secure_auth import familiar, outbox, rings
from secure_auth.models import KnownDevice, MailToken, PendingLogin, Registration, Session
from throttling import limiter

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.3
RETRY_SECONDS = 2
PRUNE_SECONDS = 300
LEAD_LOCK = 0x5EC0_4EAD
KEEP_ENDED = timedelta(days=1)


class Lead:
    """The right to do the background work of this installation."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._descriptor: int | None = None
        self._held = False

    def hold(self) -> bool:
        """Take the lead if it is free; True while it is held."""
        return self._hold_postgresql() if connection.vendor == "postgresql" else self._hold_file()

    def _hold_file(self) -> bool:
        if self._descriptor is None:
            self._descriptor = os.open(
                settings.DATA_DIR / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _hold_postgresql(self) -> bool:
        """Ask on the connection that holds the lock: when it died, so did the lead, and another may have it."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(settings.DATABASE_URL, autocommit=True)
                self._held = False
            if self._held:
                self._connection.execute("SELECT 1")
                return True
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [LEAD_LOCK]).fetchone()
            self._held = bool(row and row[0])
        except psycopg.Error:
            self.release()
            return False
        return self._held

    def release(self) -> None:
        """Give the lead up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def run(stop: threading.Event) -> None:
    """Work until told to stop. A fault of one duty does not keep the others from theirs."""
    lead = Lead()
    next_prune = timezone.now()
    try:
        while not stop.is_set():
            if not lead.hold():
                stop.wait(RETRY_SECONDS)
                continue
            busy = attempt(outbox.send_due)
            attempt(close_tallies)
            if timezone.now() >= next_prune:
                attempt(prune)
                next_prune = timezone.now() + timedelta(seconds=PRUNE_SECONDS)
            close_old_connections()
            stop.wait(0 if busy else TICK_SECONDS)
    finally:
        lead.release()


def attempt(duty: Callable[[], object]) -> bool:
    """Do one duty; whether it did something. A database that is away is waited for."""
    try:
        return bool(duty())
    except DatabaseError as error:
        log.warning("worker.duty_failed", duty=duty.__name__, error=type(error).__name__)
        return False


def prune() -> None:
    """Delete what is over: limits, tokens, pending logins, registrations, sessions, devices, sent mail."""
    limiter.prune()
    rings.destroy_outlived()
    outbox.prune_sent()
    ended = timezone.now() - KEEP_ENDED
    PendingLogin.objects.filter(expires_at__lt=ended).delete()
    MailToken.objects.filter(expires_at__lt=ended).delete()
    Registration.objects.filter(
        created_at__lt=ended - timedelta(seconds=settings.CONFIRM_LINK_SECONDS)
    ).delete()
    Session.objects.filter(expires_at__lt=ended).delete()
    KnownDevice.objects.filter(expires_at__lt=ended).delete()
    familiar.prune(timezone.now())
