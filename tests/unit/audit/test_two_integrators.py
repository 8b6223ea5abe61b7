"""Two integrators meet: whoever read the queue before the other one emptied it changes nothing."""

from collections.abc import Callable

import pytest
from django.db import connection, transaction

from audit import integrate, tree
from audit.events import SYSTEM, EventType, Outcome
from audit.integrate import Integrator, start_log
from audit.records import NewEvent
from tests.unit.audit.says import committed, failure

pytestmark = pytest.mark.usefixtures("log")


def begin(number: int = 1) -> None:
    origin = f"log.example.org/{number}"
    details = {"log": number, "origin": origin}
    first = NewEvent(type=EventType.LOG_START, outcome=Outcome.SUCCESS, source=SYSTEM, details=details)
    with transaction.atomic():
        start_log(origin, first, number=number)


def entries() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_entry")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("between", ["fetch_pending", "current_head"])
def test_what_another_one_integrated_meanwhile_is_integrated_once(
    monkeypatch: pytest.MonkeyPatch, between: str
) -> None:
    begin()
    committed(*(failure() for _ in range(5)))
    slow, fast = Integrator(), Integrator()
    read: Callable[..., object] = getattr(integrate, between)

    def read_and_wait(*arguments: object) -> object:
        found = read(*arguments)
        monkeypatch.setattr(integrate, between, read)
        assert fast.integrate() == 5
        return found

    monkeypatch.setattr(integrate, between, read_and_wait)
    assert slow.integrate() == 0
    assert entries() == 6
    committed(failure())
    assert slow.integrate() == 1
    head = tree.current_head()
    assert head is not None
    assert head.size == entries() == 7


def test_log_that_ended_meanwhile_gets_no_more_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successor's first entry says where it ended: what came later would be a second truth."""
    begin()
    committed(*(failure() for _ in range(5)))
    slow = Integrator()
    read: Callable[[], object] = tree.current_head

    def read_and_wait() -> object:
        found = read()
        monkeypatch.setattr(integrate, "current_head", read)
        begin(2)
        return found

    monkeypatch.setattr(integrate, "current_head", read_and_wait)
    assert slow.integrate() == 0
    assert entries() == 2
    assert slow.integrate() == 5
    sizes = "SELECT id, size FROM audit_log ORDER BY id"
    with connection.cursor() as cursor:
        cursor.execute(sizes)
        assert [tuple(row) for row in cursor.fetchall()] == [(1, 1), (2, 6)]
