"""Verifications of the log that were asked for in the console: one at a time, by a process of its own.

An auditor asks; the worker that leads starts `manage.py verify_log --for ID`, which keeps its progress in the row that
pages show and ends it with the verdict. Asking is an event, and so is every end: also that of a process that was lost.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason, Severity, Source
from audit.verify.faults import Bad
from secure_auth import verification
from secure_auth.access import Signed
from secure_auth.acting import Refused
from secure_auth.console_tables import LogVerification
from secure_auth.errors import Code, Problem, first_line
from secure_auth.models import new_id

NOTE_SECONDS = 0.5  # between notes of progress
LOST_SECONDS = 60  # without a note
KEEP = timedelta(days=90)
ASKED = "SELECT 1 FROM secure_auth_logverification WHERE is_open LIMIT 1"
LONGEST_VERDICT = 2_000


def ask(*, signed: Signed, source: Source) -> str:
    """Ask for a verification; its id.

    Raises:
        Problem: service_unavailable, one is under way.
    """
    verification_id = new_id()
    asked = NewEvent(
        type=EventType.AUDIT_VERIFY,
        outcome=Outcome.SUCCESS,
        reason=Reason.BY_USER,
        source=source,
        user=signed.user.pk,
        session=signed.session.id,
        details={"verification": verification_id},
    )
    try:
        with transaction.atomic():
            LogVerification.objects.create(id=verification_id, asked_at=timezone.now())
            append(asked)
    except IntegrityError as error:
        refused = NewEvent(
            type=EventType.AUDIT_VERIFY,
            outcome=Outcome.FAILURE,
            reason=Reason.CAPACITY,
            source=source,
            user=signed.user.pk,
            session=signed.session.id,
        )
        with transaction.atomic():
            append(refused)
        raise Problem(Code.SERVICE_UNAVAILABLE, headers={"Retry-After": str(LOST_SECONDS)}) from error
    return verification_id


def newest(limit: int = 5) -> list[LogVerification]:
    """The last ones, newest first."""
    return list(LogVerification.objects.order_by("-asked_at")[:limit])


def run(verification_id: str) -> str:
    """Judge the log for a verification that the worker took, in this process; the verdict.

    Raises:
        Refused: there is no such verification, or it is over.
    """
    row = LogVerification.objects.filter(pk=verification_id, is_open=True).first()
    if row is None:
        raise Refused(f"no verification {verification_id[:64]} is under way")
    lines: list[str] = []
    reason = Reason.NONE
    try:
        verdict = verification.verify_log(
            given=(), vkeys=(), resume=False, say=lines.append, on_progress=_note_progress(row, lines)
        )
    except Bad as fault:
        verdict = f"BAD: {fault}"
    except Refused as error:
        verdict, reason = f"no verdict: {error}", Reason.UNAVAILABLE
    except verification.UNREADABLE as error:
        verdict, reason = f"no verdict: the log cannot be read ({first_line(error)})", Reason.UNAVAILABLE
    finish(row, verdict, reason=reason, lines=lines)
    return verdict


def _note_progress(row: LogVerification, lines: list[str]) -> Callable[[int, int], None]:
    noted_at = -NOTE_SECONDS

    def note(done: int, total: int) -> None:
        nonlocal noted_at
        row.done, row.total = done, total
        if time.monotonic() - noted_at >= NOTE_SECONDS:
            noted_at = time.monotonic()
            own = LogVerification.objects.filter(pk=row.pk, is_open=True)
            own.update(done=done, total=total, lines="\n".join(lines), seen_at=timezone.now())

    return note


def finish(
    row: LogVerification, verdict: str, *, reason: Reason = Reason.NONE, lines: list[str] | None = None
) -> None:
    """End a verification with its verdict, which is an event; one that is over stays as it is."""
    is_good = verdict.startswith("ok: ")
    event = NewEvent(
        type=EventType.AUDIT_VERDICT,
        outcome=Outcome.SUCCESS if is_good else Outcome.FAILURE,
        reason=reason,
        severity=Severity.MEDIUM if reason else None,  # a process that was lost says nothing about the log
        source=SYSTEM,
        details={"verification": row.pk, "entries": row.done},
    )
    ended = {
        "is_open": None,
        "finished_at": timezone.now(),
        "verdict": verdict[:LONGEST_VERDICT],
        "done": row.done,
        "total": row.total,
        **({"lines": "\n".join(lines)} if lines is not None else {}),
    }
    with transaction.atomic():
        if LogVerification.objects.filter(pk=row.pk, is_open=True).update(**ended):
            append(event)


def prune(now: datetime) -> None:
    """Forget verifications that nobody looks at any longer; their events stay."""
    LogVerification.objects.filter(asked_at__lt=now - KEEP, is_open=None).delete()


class Runner:
    """The worker's hold on the process that verifies: at most one, which ends with the worker."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._id = ""

    def advance(self) -> bool:
        """Begin what waits, and end what was lost; whether there was anything to do."""
        if self._process is not None:
            if self._process.poll() is None:
                return False
            self._close(f"no verdict: its process ended with status {self._process.returncode}")
            return True
        return self._begin()

    def _close(self, why: str) -> None:
        """What the process did not end itself; nothing where it did."""
        self._process = None
        row = LogVerification.objects.filter(pk=self._id, is_open=True).first()
        if row:
            finish(row, why, reason=Reason.UNAVAILABLE)

    def _begin(self) -> bool:
        now = timezone.now()
        row = LogVerification.objects.filter(is_open=True).first()
        if row is None:
            return False
        self._id = row.pk
        if row.started_at is not None:
            # one seen later than now was noted by a clock that was ahead: it would keep all others until that time
            if row.seen_at is None or abs(now - row.seen_at) < timedelta(seconds=LOST_SECONDS):
                return False  # another worker's process is at it
            self._close("no verdict: its process was lost")
            return True
        unclaimed = LogVerification.objects.filter(Q(started_at=None), pk=row.pk, is_open=True)
        if not unclaimed.update(started_at=now, seen_at=now):
            return False
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "verify_log", "--for", row.pk]
        # what it says when it breaks goes where the worker's own words go
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603 the command is ours
        return True
