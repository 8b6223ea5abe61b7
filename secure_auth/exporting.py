"""Taking the log along: an export for an auditor, streamed. That it happens is committed before its first byte leaves.

Refuses a question that it does not understand, and more than EXPORTS_AT_ONCE in one process: an export whose client
reads slowly holds a thread, and the others must stay for those who sign in. No auditor has all of these places. It ends
when its session does: a stolen token that was revoked reads on for RECHECK_SECONDS at most.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import structlog
from django.utils import timezone

from audit.events import Reason, Source
from audit.exporting import Export, parse_export
from audit.filters import BadFilter
from audit.vocabulary import Format, View
from secure_auth import access, review
from secure_auth.access import Signed
from secure_auth.errors import service_unavailable, validation_failed
from secure_auth.models import Session

log = structlog.get_logger(__name__)

EXPORTS_AT_ONCE = 4  # in one worker process
EXPORTS_OF_ONE = 2  # of these, one account's
RECHECK_SECONDS = 5
RETRY_SECONDS = 30
_lock = threading.Lock()
_under_way: Counter[str] = Counter()  # by account


class CutOff(Exception):
    """The export stops where it is; its client sees a broken answer, never a complete one."""


@dataclass(frozen=True)
class Download:
    """What is sent, and what it is called. Whoever takes it must close `body`."""

    media_type: str
    filename: str
    body: "Body"


class Body:
    """The bytes of an export; closing it frees its place, whether or not it was begun."""

    def __init__(self, export: Export, signed: Signed, is_gone: Callable[[], bool]) -> None:
        self._export, self._signed, self._is_gone = export, signed, is_gone
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        """The pieces.

        Raises:
            CutOff: the session ended, or the role was taken away.
        """
        checked = time.monotonic()
        for chunk in self._export.chunks():
            if chunk:
                yield chunk
            if self._is_gone():
                return
            if time.monotonic() - checked > RECHECK_SECONDS:
                self._demand_right()
                checked = time.monotonic()

    def close(self) -> None:
        """Called by the server when the answer is over."""
        if not self._is_closed:
            self._is_closed = True
            _leave_place(self._signed.user.pk)

    def _demand_right(self) -> None:
        session = Session.objects.select_related("user").filter(pk=self._signed.session.id).first()
        subject = self._signed.user.pk
        if session and access.is_open(session, subject, timezone.now()) and "auditor" in session.user.roles:
            return
        log.warning("export.cut_off", session=self._signed.session.id)
        raise CutOff


def _take_place(user_id: str) -> bool:
    with _lock:
        is_free = _under_way.total() < EXPORTS_AT_ONCE and _under_way[user_id] < EXPORTS_OF_ONE
        if is_free:
            _under_way[user_id] += 1
        return is_free


def _leave_place(user_id: str) -> None:
    with _lock:
        _under_way[user_id] -= 1
        if not _under_way[user_id]:
            del _under_way[user_id]


def export_events(
    *, signed: Signed, query: Mapping[str, str], source: Source, is_gone: Callable[[], bool] = lambda: False
) -> Download:
    """An export for an auditor; it is recorded before this returns, whether or not it is refused.

    `is_gone` tells whether the client has hung up; it is asked between windows.

    Raises:
        Problem: validation_failed; service_unavailable, too many exports are under way, in all or of this account.
    """
    told = review.told_as(query, but=("format",))
    form = query.get("format", Format.JSONL)
    named = Format(form) if form in Format._value2member_map_ else None

    def record(reason: Reason = Reason.NONE) -> None:
        review.record_reading(
            View.EXPORT, signed=signed, source=source, query=told, format_=named, reason=reason
        )

    try:
        export = parse_export(query)
    except BadFilter as error:
        record(Reason.INVALID_INPUT)
        raise validation_failed(error.field[:64], "invalid", f"{error}.") from error
    if not _take_place(signed.user.pk):
        record(Reason.CAPACITY)
        raise service_unavailable(RETRY_SECONDS)
    body = Body(export, signed, is_gone)
    try:
        record()
    except BaseException:
        body.close()
        raise
    name = f"audit-{timezone.now():%Y%m%dT%H%M%SZ}.{export.writer.suffix}"
    return Download(export.writer.media_type, name, body)
