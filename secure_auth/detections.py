"""Attacks recognised in the log: raising them, and what auditors read and note of them."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.append import NewEvent, append
from audit.detections import engine, reading
from audit.events import EventType, Outcome, Reason, Source
from audit.filters import BadFilter
from audit.queries import fetch_events
from secure_auth import access, digest_ring, refusals, webhooks
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.models import Role
from secure_auth.review import PAGE, PAGING, Page, record_reading, told_as


def advance() -> bool:
    """Follow the next entries of the log and raise what they show; whether there were any. For the worker."""
    return bool(engine.advance(digest=_digest, tell=webhooks.queue))


def _digest(text: str) -> str:
    """What accounts and sources are known by in the windows: nothing that can be told back to them without the key.

    By the oldest digest key: a rotation empties no window.
    """
    return digest_ring.lasting_digest("detection", text)


def list_detections(*, signed: Signed, query: Mapping[str, str], source: Source) -> Page:
    """A page of detections for an auditor; the reading is recorded whether or not it succeeds.

    Raises:
        Problem: validation_failed, for an unknown filter or a bad value.
    """
    told = told_as(query, but=PAGING)
    filters = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
    limit = query.get("limit", str(PAGE))
    try:
        page = reading.find_detections(filters, cursor=query.get("cursor", ""), limit=limit)
    except BadFilter as error:
        record_reading("detections", signed=signed, source=source, query=told, reason=Reason.INVALID_INPUT)
        raise validation_failed(error.field[:64], "invalid", f"{error}.") from error
    record_reading("detections", signed=signed, source=source, query=told)
    return Page(page.results, page.next, page.previous)


def show_detection(*, signed: Signed, detection_id: str, source: Source) -> dict[str, Any]:
    """One detection for an auditor.

    Raises:
        Problem: not_found.
    """
    found = reading.find_detection(detection_id)
    reason = Reason.NONE if found else Reason.NOT_FOUND
    record_reading("detections", signed=signed, source=source, query=f"id={detection_id}", reason=reason)
    if found is None:
        raise Problem(Code.NOT_FOUND)
    return found


def list_evidence(detection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events that show a detection which was shown; of one whose body was pruned its id only."""
    found = {record.id: record.as_dict() for record in fetch_events(detection["events"])}
    return [found.get(event, {"id": event}) for event in detection["events"]]


def acknowledge(*, signed: Signed, detection_id: str, note: str, source: Source) -> dict[str, Any]:
    """Note that somebody looked into a detection, and what they found. Again: beside those before.

    Raises:
        Problem: not_found; invalid_token, permission_denied where the auditor was shut out meanwhile.
    """
    with transaction.atomic():
        problem = access.judge_signed(signed, role=Role.AUDITOR, source=source)
        found = None if problem else reading.lock_detection(detection_id)
        if found:
            (event,) = append(_acknowledgement(signed, note, source, detection=found.id, rule=found.rule))
            reading.acknowledge(found, event=event, now=timezone.now())
    if problem:
        raise problem
    shown = reading.find_detection(detection_id) if found else None
    if shown is None:
        refusals.record_collapsed(
            _acknowledgement(signed, "", source, reason=Reason.NOT_FOUND), key=signed.session.id
        )
        raise Problem(Code.NOT_FOUND)
    return shown


def _acknowledgement(
    signed: Signed, note: str, source: Source, *, reason: Reason = Reason.NONE, **details: str
) -> NewEvent:
    return NewEvent(
        type=EventType.DETECTION_ACKNOWLEDGE,
        outcome=Outcome.FAILURE if reason else Outcome.SUCCESS,
        reason=reason,
        source=source,
        user=signed.user.pk,
        session=signed.session.id,
        details=details,
        text={"note": note} if note else {},
    )
