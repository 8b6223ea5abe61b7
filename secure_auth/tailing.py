"""Live tails of the log: what an auditor watches arrive. One event when it begins, one when it ends, none in between.

A session has at most one. It is asked again and again with the cursor of its last answer, so that nothing is missed or
repeated. One that is not asked for LOST_SECONDS (a closed page, an ended session) is ended by the worker: a crash loses
no end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from audit import following
from audit.append import NewEvent, append
from audit.events import EventType, Outcome, Reason, Source
from audit.filters import BadFilter, parse_filters
from audit.vocabulary import View
from secure_auth import review
from secure_auth.access import Signed
from secure_auth.console_tables import LiveTail
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.models import Session, User, new_id

LOST_SECONDS = 90  # a browser wakes a page that is not looked at once a minute, no oftener
MOST_AT_ONCE = 100  # events of one answer
CLOSED_AT_ONCE = 200


@dataclass(frozen=True)
class Opened:
    """A tail that was begun, and the cursor to ask it with first."""

    id: str
    cursor: str


@dataclass(frozen=True)
class Arrivals:
    """What came since a cursor, oldest first; `is_behind` where more waits already."""

    results: list[dict[str, Any]]
    cursor: str
    is_behind: bool


def end_of_log() -> str:
    """The cursor with which a tail goes on from a list that is read after it was asked for."""
    return following.end_cursor()


def start_tail(*, signed: Signed, query: Mapping[str, str], source: Source) -> Opened:
    """Begin to watch what matches, from now on or from an `end_of_log()` before; a tail of this session ends.

    Raises:
        Problem: validation_failed, for an unknown filter or a bad value.
    """
    told, now = review.told_as(query), timezone.now()
    try:
        parse_filters(query)
    except BadFilter as error:
        review.record_reading(
            View.TAIL, signed=signed, source=source, query=told, reason=Reason.INVALID_INPUT
        )
        raise validation_failed(error.field[:64], "invalid", f"{error}.") from error
    owner = {"session": signed.session.id, "user": signed.user.pk}
    with transaction.atomic():
        Session.objects.select_for_update().filter(pk=signed.session.id).first()  # one start at a time
        ended = _take(LiveTail.objects.filter(session=signed.session.id))
        tail = LiveTail.objects.create(
            id=new_id(), **owner, query=told, ip=source.ip, started_at=now, seen_at=now
        )
        begun = _event(tail, Outcome.SUCCESS, Reason.NONE, source, query=told)
        append(*(_ended(one, Reason.BY_USER, source) for one in ended), begun)
    return Opened(tail.id, following.end_cursor())


def poll_tail(*, signed: Signed, tail_id: str, cursor: str) -> Arrivals:
    """What came since `cursor`.

    Raises:
        Problem: not_found, it is over or somebody else's; validation_failed, not a cursor.
    """
    own = LiveTail.objects.filter(pk=tail_id, session=signed.session.id)
    tail = own.first()
    if tail is None:
        raise Problem(Code.NOT_FOUND)
    try:
        found = following.arrived(dict(parse_qsl(tail.query)), cursor=cursor, limit=MOST_AT_ONCE)
    except BadFilter as error:
        raise validation_failed(error.field[:64], "invalid", f"{error}.") from error
    if not own.update(seen_at=timezone.now(), results=F("results") + len(found.results)):
        raise Problem(Code.NOT_FOUND)
    return Arrivals([one.as_dict() for one in found.results], found.cursor, found.is_behind)


def stop_tail(*, signed: Signed, tail_id: str, source: Source) -> None:
    """End a tail; one that is over already stays as it is."""
    with transaction.atomic():
        ended = _take(LiveTail.objects.filter(pk=tail_id, session=signed.session.id))
        append(*(_ended(one, Reason.BY_USER, source) for one in ended))


def end_tails(user_id: str, *, source: Source) -> None:
    """End all tails of an account, in the caller's transaction."""
    append(
        *(
            _ended(one, Reason.ACCOUNT_DISABLED, source)
            for one in _take(LiveTail.objects.filter(user=user_id))
        )
    )


def end_lost() -> int:
    """End the tails that nobody asks any longer; how many. For the worker."""
    lost = timezone.now() - timedelta(seconds=LOST_SECONDS)
    with transaction.atomic():
        ended = _take(LiveTail.objects.filter(seen_at__lt=lost)[:CLOSED_AT_ONCE])
        known = set(User.objects.filter(pk__in=[one.user for one in ended]).values_list("pk", flat=True))
        for one in ended:
            if one.user not in known:  # erased meanwhile: the log is not to learn of it anew
                one.user = one.ip = ""
        append(*(_ended(one, Reason.IDLE, Source(ip=one.ip)) for one in ended))
    return len(ended)


def _take(tails: Any) -> list[LiveTail]:
    """Remove tails and give them: whoever removes one tells of its end."""
    locked = list(tails.select_for_update())
    LiveTail.objects.filter(pk__in=[one.pk for one in locked]).delete()
    return locked


def _ended(tail: LiveTail, reason: Reason, source: Source) -> NewEvent:
    return _event(tail, Outcome.SUCCESS, reason, source, results=tail.results)


def _event(
    tail: LiveTail, outcome: Outcome, reason: Reason, source: Source, *, query: str = "", **details: int
) -> NewEvent:
    return NewEvent(
        type=EventType.AUDIT_READ,
        outcome=outcome,
        reason=reason,
        source=source,
        user=tail.user,
        session=tail.session,
        details={"view": View.TAIL, **details},
        text={"query": query} if query else {},
    )
