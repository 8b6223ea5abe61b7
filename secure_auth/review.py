"""What auditors and admins read, and people of themselves. Each reading of the log is itself recorded in it."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

# READING
from audit.append import NewEvent, append_collapsed
from audit.events import EventType, Outcome, Source
from secure_auth.access import Signed
from secure_auth.errors import Code, Problem, validation_failed
from secure_auth.models import User

PAGE = 50
READ_WINDOW_SECONDS = 300


@dataclass(frozen=True)
class Page:
    """Some results and the cursors of the pages around them; empty where there is none."""

    results: list[dict[str, Any]]
    next: str
    previous: str


def record_reading(view: str, *, signed: Signed, source: Source, query: str = "", event: str = "") -> None:
    """One audit.read for equal queries of a session within five minutes."""
    read = NewEvent(
        type=EventType.AUDIT_READ,
        outcome=Outcome.SUCCESS,
        source=source,
        user=signed.user.pk,
        session=signed.session.id,
        details={"view": view, **({"event": event} if event else {})},
        text={"query": query} if query else {},
    )
    with transaction.atomic():
        append_collapsed(read, key=f"{signed.session.id}:{view}:{event}:{query}", window_seconds=READ_WINDOW_SECONDS)


def list_users(*, signed: Signed, cursor: str, source: Source) -> Page:
    """Accounts, newest first, PAGE at a time; the cursor is the last id of the page before."""
    users = User.objects.order_by("-id")
    if cursor:
        users = users.filter(id__lt=cursor)
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
    return Page(results, rows[PAGE - 1].pk if len(rows) > PAGE else "", "")
