"""A follower's saved place after a restore: an event may come twice, none is missed."""

from collections.abc import Callable

import pytest
from django.db import transaction

from audit.append import NewEvent
from audit.events import SYSTEM, EventType, Outcome
from audit.exporting import parse_export
from audit.following import follow_events
from audit.integrate import Integrator, start_log
from tests.unit.audit.says import committed, failure

pytestmark = pytest.mark.usefixtures("log")


def begin(number: int, name: str) -> None:
    details = {"log": number, "origin": name}
    event = NewEvent(type=EventType.LOG_START, outcome=Outcome.SUCCESS, source=SYSTEM, details=details)
    with transaction.atomic():
        start_log(name, event, number=number)


def written(count: int) -> tuple[str, ...]:
    """Events with entries."""
    ids = committed(*[failure() for _ in range(count)])
    while Integrator().integrate():
        pass
    return ids


def follow(cursor: str = "") -> tuple[set[str], str]:
    """Ids to the end, and the cursor of the last page."""
    seen: set[str] = set()
    while True:
        page = follow_events(cursor=cursor, limit=2)
        seen |= {record.id for record in page.results}
        if not page.next:
            return seen, cursor
        cursor = page.next


def forgotten(act: Callable[[], str]) -> str:
    """What it gives; the database forgets what it did, as by a restore."""
    with transaction.atomic():
        given = act()
        transaction.set_rollback(True)
    return given


def test_a_place_that_another_successor_took_leads_back() -> None:
    begin(1, "log")
    written(3)

    def first_successor() -> str:
        begin(2, "log/2")
        written(6)
        return follow()[1]

    cursor = forgotten(first_successor)
    begin(2, "log/2.2")
    missed = written(2)
    assert follow(cursor)[0] >= {*missed}
    missed += written(10)
    assert follow(cursor)[0] >= {*missed}
    assert parse_export({"order": "index", "cursor": cursor}).start == (">", "0")


def test_a_place_in_another_history_of_the_same_log_leads_back() -> None:
    begin(1, "log")
    written(3)

    def lost() -> str:
        written(6)
        return follow()[1]

    cursor = forgotten(lost)
    missed = written(8)
    assert follow(cursor)[0] >= {*missed}


def test_a_place_that_still_holds_its_entry_is_gone_on_from() -> None:
    begin(1, "log")
    written(6)
    _, cursor = follow()
    begin(2, "log/2")
    later = written(1)
    seen, _ = follow(cursor)
    assert seen >= {*later}
    assert len(seen) <= 4, "nothing that lies before the place"
