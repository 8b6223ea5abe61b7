"""What auditors and admins read, and people of themselves. Each reading of the log is itself recorded in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit import following, reading, tree
from audit.append import NewEvent, append_collapsed
from audit.events import EventType, Outcome, Reason, Source
from audit.filters import BadFilter, is_event_id
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.models import User

PAGE = 50
READ_WINDOW_SECONDS = 300
PAGING = ("cursor", "limit", "order")
ORDERS = ("time", "index")


@dataclass(frozen=True)
class Page:
    """Some results and the cursors of the pages around them; None where there is none."""

    results: list[dict[str, Any]]
    next: str | None
    previous: str | None


def list_events(*, signed: Signed, query: Mapping[str, str], source: Source) -> Page:
    """A page of the log for an auditor; the reading is recorded whether or not it succeeds.

    Raises:
        Problem: validation_failed, for an unknown filter or a bad value.
    """
    told = "&".join(f"{name}={value}" for name, value in sorted(query.items()) if name not in PAGING)
    try:
        page = _find_events(query)
    except Problem:
        record_reading("events", signed=signed, source=source, query=told, reason=Reason.INVALID_INPUT)
        raise
    record_reading("events", signed=signed, source=source, query=told)
    return page


def list_activity(*, signed: Signed, query: Mapping[str, str]) -> Page:
    """A page of somebody's own security events."""
    foreign = next((name for name in query if name not in PAGING), None)
    if foreign:
        raise validation_failed(foreign, "unknown", "This filter is not known here.")
    page = _find_events({**query, "user": signed.user.pk})
    return Page([_own_view(event) for event in page.results], page.next, page.previous)


def _own_view(event: dict[str, Any]) -> dict[str, Any]:
    """What somebody else did to the account is shown, but not who, from where and with which note."""
    if not {"actor", "note"} & event["details"].keys():
        return event
    details = {name: value for name, value in event["details"].items() if name not in ("actor", "note")}
    source = {"ip": "", "user_agent": "", "request_id": ""}
    session = event["session"] if event["type"] == EventType.SESSION_REVOKE else ""
    return {**event, "session": session, "source": source, "details": details}


def _find_events(query: Mapping[str, str]) -> Page:
    order = query.get("order", "time")
    if order not in ORDERS:
        raise validation_failed("order", "invalid", "This is time or index.")
    filters = {name: value for name, value in query.items() if name not in PAGING}
    limit = query.get("limit", str(PAGE))
    try:
        find = following.follow_events if order == "index" else reading.find_events
        page = find(filters, cursor=query.get("cursor", ""), limit=limit)
    except BadFilter as error:
        raise validation_failed(error.field[:64], "invalid", f"{error}.") from error
    return Page([record.as_dict() for record in page.results], page.next, page.previous)


def show_event(*, signed: Signed, event_id: str, source: Source) -> dict[str, Any]:
    """One event for an auditor.

    Raises:
        Problem: not_found; gone, its body was pruned.
    """
    found = reading.find_event(event_id)
    is_known = found is not None or tree.place_of(event_id) is not None
    reason = Reason.NONE if found else Reason.PRUNED if is_known else Reason.NOT_FOUND
    record_reading("event", signed=signed, source=source, event=event_id if is_known else "", reason=reason)
    if found is None:
        raise Problem(Code.GONE if is_known else Code.NOT_FOUND)
    return found.as_dict()


def list_users(*, signed: Signed, query: Mapping[str, str], source: Source) -> Page:
    """Accounts, newest first, PAGE at a time; the cursor is the last id of the page before.

    Raises:
        Problem: validation_failed, for anything but a cursor of this list.
    """
    foreign = next((name for name in query if name != "cursor"), None)
    if foreign is not None:
        raise validation_failed(foreign[:64], "unknown", "This filter is not known here.")
    users = User.objects.order_by("-id")
    if query.get("cursor"):
        if not is_event_id(query["cursor"]):
            raise validation_failed("cursor", "invalid", "Not a cursor of this service.")
        users = users.filter(id__lt=query["cursor"])
    rows = list(users[: PAGE + 1])
    record_reading("users", signed=signed, source=source)
    results = [
        {
            "id": row.pk,
            "email": row.email,
            "roles": row.roles,
            "created_at": row.created_at,
            "disabled": row.disabled_at is not None,
        }
        for row in rows[:PAGE]
    ]
    return Page(results, rows[PAGE - 1].pk if len(rows) > PAGE else None, None)


def record_reading(
    view: str,
    *,
    signed: Signed,
    source: Source,
    query: str = "",
    event: str = "",
    format_: str | None = None,
    reason: Reason = Reason.NONE,
) -> None:
    """One audit.read for equal questions of a session within five minutes."""
    details = {"view": view, "event": event or None, "format": format_}
    read = NewEvent(
        type=EventType.AUDIT_READ,
        outcome=Outcome.FAILURE if reason else Outcome.SUCCESS,
        reason=reason,
        source=source,
        user=signed.user.pk,
        session=signed.session.id,
        details=details,
        text={"query": query} if query else {},
    )
    key = f"{signed.session.id}:{view}:{format_ or ''}:{event}:{query}"
    with transaction.atomic():
        append_collapsed(read, key=key, window_seconds=READ_WINDOW_SECONDS)
