"""Retention: old events lose their bodies and personal data; their entries and proofs stay.

The order makes a crash at any line safe, and lets the next run finish: the `audit.prune` event, its entry in the tree,
the cut-off that the database's triggers obey, then the rows, batch by batch. Until the cut-off is moved nothing is
removed, and only a run that asks for as much does what such an event says: its own run may have been refused.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction

from audit import clocks, removal
from audit.append import NewEvent, append
from audit.events import SYSTEM, EventType, Outcome, Reason
from audit.removal import EPOCH, Bodies, Promise
from secure_auth import covering
from secure_auth.acting import Refused

log = structlog.get_logger(__name__)

STEP = timedelta(days=1)  # of the automatic retention: one event a day, not one an hour


@dataclass(frozen=True)
class Pruned:
    """How many events lost their bodies, and before which moment."""

    events: int
    before: datetime


def moment_ago(age: timedelta) -> datetime:
    """By the clock that is behind: one that is ahead would take what is young, for good."""
    return clocks.earlier_now() - age


def count(before: datetime) -> int:
    """How many events a pruning would strip."""
    return removal.find_bodies(_milliseconds(before)).events


def prune(*, before: datetime, reason: Reason = Reason.BY_COMMAND) -> Pruned:
    """Strip the integrated events before a moment; one that moved the cut-off and did not end is finished first.

    Raises:
        Refused: the event that covers it does not get into the log; nothing was deleted.
    """
    if not removal.may_drop_bodies():
        raise Refused(
            "the database's role may not delete from audit_event: nothing was done (docs/running.md)"
        )
    covering.require_sound_log()
    done, cutoff, before_ms = 0, removal.cutoff_ms(), _milliseconds(before)
    begun = removal.last_promise(max(cutoff, before_ms))
    if begun and begun.before_ms > cutoff:
        done, cutoff = done + _keep(begun), begun.before_ms
    elif begun:
        done += removal.drop_bodies(begun)
    found = removal.find_bodies(before_ms) if before_ms > cutoff else None
    if found and found.events:
        done += _keep(_promise(found, before_ms, reason))
    return Pruned(done, EPOCH + timedelta(milliseconds=max(before_ms, cutoff)))


def prune_due() -> bool:
    """The automatic retention of AUDIT_RETENTION_DAYS, once a day; whether anything was stripped. For the worker."""
    if not settings.AUDIT_RETENTION_DAYS:
        return False
    before = moment_ago(timedelta(days=settings.AUDIT_RETENTION_DAYS))
    cutoff = EPOCH + timedelta(milliseconds=removal.cutoff_ms())
    is_due = before >= cutoff + STEP  # before that, what was begun is finished and nothing else
    try:
        return bool(prune(before=before if is_due else cutoff, reason=Reason.RETENTION).events)
    except Refused as error:
        log.warning("retention.waits", why=str(error))
        return False


def _promise(found: Bodies, before_ms: int, reason: Reason) -> Promise:
    event = NewEvent(
        type=EventType.AUDIT_PRUNE,
        outcome=Outcome.SUCCESS,
        reason=reason,
        source=SYSTEM,
        details={
            "events": found.events,
            "before_ms": before_ms,
            "log": found.log,
            "entries": found.entries,
        },
    )
    with transaction.atomic():
        (event_id,) = append(event)
    return Promise(event_id, before_ms, found.log, found.entries)


def _keep(promise: Promise) -> int:
    """Do what an `audit.prune` event says, once it is an entry."""
    covering.integrate([promise.event])
    removal.move_cutoff(promise.before_ms)
    return removal.drop_bodies(promise)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
