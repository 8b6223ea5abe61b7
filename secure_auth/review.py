"""What auditors and admins read, and people of themselves. Each reading of the log is itself recorded in it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from audit import following, reading, tree
from audit.append import NewEvent, append_collapsed
from audit.events import EventType, Outcome, Reason, Source
from audit.filters import MAX_QUERY_LENGTH, BadFilter, is_event_id
from secure_auth import addresses, sessions
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.invitations import state_of
from secure_auth.models import Invitation, User, is_id
from secure_auth.own_data import describe_session

Row = TypeVar("Row", bound=Model)
PAGE = 50
SESSIONS = 200  # on a page of one's own
READ_WINDOW_SECONDS = 300
ABOUT_ANOTHER_ADDRESS = (EventType.ADDRESS_REQUEST, EventType.ADDRESS_CHANGE)
PAGING = ("cursor", "limit", "order")
AMBIGUOUS = str.maketrans({sign: f"%{ord(sign):02X}" for sign in "%&+"})
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
    told = told_as(query, but=PAGING)
    try:
        page = _find_events(query)
    except Problem:
        record_reading("events", signed=signed, source=source, query=told, reason=Reason.INVALID_INPUT)
        raise
    record_reading("events", signed=signed, source=source, query=told)
    return page


def told_as(query: Mapping[str, str], *, but: Collection[str] = ()) -> str:
    """A query as an event tells it: in one way only, whatever its values hold, and with the letters that were typed."""
    told = sorted((name, value) for name, value in query.items() if name not in but)
    return "&".join(f"{name.translate(AMBIGUOUS)}={value.translate(AMBIGUOUS)}" for name, value in told)


def list_activity(*, signed: Signed, query: Mapping[str, str]) -> Page:
    """A page of somebody's own security events."""
    foreign = next((name for name in query if name not in PAGING), None)
    if foreign:
        raise validation_failed(foreign, "unknown", "This filter is not known here.")
    page = _find_events({**query, "user": signed.user.pk})
    return Page([_own_view(event) for event in page.results], page.next, page.previous)


def _own_view(event: dict[str, Any]) -> dict[str, Any]:
    """What an admin did to the account is shown, but not who, from where and with which note; of a command the note.

    Why a change of address came to nothing is kept back: it would tell whether another address has an account.
    """
    if event["type"] in ABOUT_ANOTHER_ADDRESS and event["reason"] != Reason.WRONG_PASSWORD:
        event = {**event, "reason": ""}
    if "actor" not in event["details"]:
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

    `q` is an account's id or the beginning of its address.

    Raises:
        Problem: validation_failed, for another filter, or anything but a cursor of this list.
    """
    wanted = query.get("q", "").strip()
    if not wanted.isprintable() or len(wanted) > MAX_QUERY_LENGTH:
        raise validation_failed("q", "invalid", f"At most {MAX_QUERY_LENGTH} printable characters.")
    users = User.present()
    if wanted:
        as_id = wanted.lower()  # other programs write ids in capitals
        own = {"pk": as_id} if is_id(as_id) else {"email_key__startswith": addresses.identify(wanted).key}
        users = users.filter(**own)
    page = _newest_first(users, query, _shown_user, filters=("q",))
    record_reading("users", signed=signed, source=source, query=f"q={wanted}" if wanted else "")
    return page


def list_invitations(*, signed: Signed, query: Mapping[str, str], source: Source) -> Page:
    """Invitations, as list_users() lists accounts."""
    page = _newest_first(Invitation.objects.all(), query, shown_invitation)
    record_reading("invitations", signed=signed, source=source)
    return page


def list_sessions(*, signed: Signed, query: Mapping[str, str]) -> Page:
    """Somebody's own live sessions, SESSIONS at a time; the cursor is as that of list_users().

    None is left out: an older one behind many newer is perhaps the one that its owner looks for. Other names in the
    query are passed over.
    """
    own = sessions.live_sessions(signed.user.pk, timezone.now())
    known = {name: query[name] for name in query if name == "cursor"}
    return _newest_first(own, known, partial(describe_session, current=signed.session.id), size=SESSIONS)


def _newest_first(
    rows: QuerySet[Row],
    query: Mapping[str, str],
    show: Callable[[Row], dict[str, Any]],
    *,
    filters: tuple[str, ...] = (),
    size: int = PAGE,
) -> Page:
    foreign = next((name for name in query if name not in ("cursor", *filters)), None)
    if foreign is not None:
        raise validation_failed(foreign[:64], "unknown", "This filter is not known here.")
    rows = rows.order_by("-pk")
    if query.get("cursor"):
        if not is_event_id(query["cursor"]):
            raise validation_failed("cursor", "invalid", "Not a cursor of this service.")
        rows = rows.filter(pk__lt=query["cursor"])
    found = list(rows[: size + 1])
    following_page = str(found[size - 1].pk) if len(found) > size else None
    return Page([show(row) for row in found[:size]], following_page, None)


def _shown_user(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "roles": user.roles,
        "created_at": user.created_at,
        "disabled": user.disabled_at is not None,
    }


def shown_invitation(invitation: Invitation) -> dict[str, Any]:
    """An invitation as admins see it; its token is nobody's to see."""
    return {
        "id": invitation.pk,
        "email": invitation.email,
        "role": invitation.role or "none",
        "state": state_of(invitation, timezone.now()),
        "invited_by": invitation.invited_by,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }


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
        append_collapsed(read, key=key, window_seconds=READ_WINDOW_SECONDS, by_source=False)
