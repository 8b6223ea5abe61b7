"""The engine on both databases: exactly once, in the order of the tree, bounded."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.append import NewEvent, close_tallies
from audit.detections import engine, store
from audit.detections.tables import Detection, DetectionSlot
from audit.events import SYSTEM, EventType, Outcome, Reason, Source
from audit.integrate import Integrator, start_log
from audit.models import Event, Tally
from tests.unit.audit.attacks import digest
from tests.unit.audit.conftest import DERIVED, Log, only
from tests.unit.audit.says import collapsed, committed, failure

HERE = {"details": {"new_device": True}, "type": EventType.SESSION_OPEN, "outcome": Outcome.SUCCESS}


@pytest.fixture(autouse=True)
def _started(log: Log) -> None:
    """A log that has begun."""
    begin(1)


def begin(number: int) -> None:
    origin = "auth.example.com/api/v1/audit/log" + (f"/{number}" if number > 1 else "")
    event = NewEvent(
        type=EventType.LOG_START,
        outcome=Outcome.SUCCESS,
        source=SYSTEM,
        details={"log": number, "origin": origin},
    )
    with transaction.atomic():
        start_log(origin, event, number=number)


def integrate() -> None:
    integrator = Integrator()
    while integrator.integrate():
        pass


def follow(batch: int = 1000) -> list[Detection]:
    """Follow to the end of the log; what was told."""
    told: list[Detection] = []
    while engine.advance(digest=digest, tell=told.extend, batch=batch):
        pass
    return told


def guess(account: str = "anna", source: str = "192.0.2.1", **what: Any) -> NewEvent:
    return failure(user=account, source=Source(ip=source), **what)


def reuse(session: str) -> NewEvent:
    return failure(type=EventType.TOKEN_REUSE, reason=Reason.REUSED, session=session)


def stored() -> list[dict[str, Any]]:
    fields = ("id", "rule", "severity", "kind", "count", "figures", "earliest", "latest", "announced")
    return list(Detection.objects.order_by("id").values(*fields))


def forget() -> None:
    """As if nothing had been followed yet."""
    with connection.cursor() as cursor:
        for table in DERIVED:
            cursor.execute(f"DELETE FROM {table}")


def raised() -> list[str]:
    """Ids of detections, as the log tells of them."""
    events = Event.objects.filter(type=EventType.DETECTION_RAISE).order_by("id")
    return [event.details["detection"] for event in events]


def test_a_detection_is_stored_with_what_shows_it_and_is_an_event_itself() -> None:
    shown = list(committed(*[guess(source=f"192.0.2.{n % 2}") for n in range(12)]))
    integrate()
    (told,) = follow()
    (found,) = Detection.objects.all()
    assert (found.id, found.rule, found.severity) == (told.id, "brute_force", "medium")
    assert (found.count, found.figures) == (12, {"guesses": 12, "sources": 2})
    assert (found.first_event, found.last_event) == (shown[0], shown[-1])
    assert {*found.earliest, *found.latest} == set(shown)
    (event,) = Event.objects.filter(type=EventType.DETECTION_RAISE)
    assert event.details == {"detection": found.id, "rule": "brute_force", "count": 12}
    assert (event.severity, event.commitments) == ("medium", {})


def test_growth_neither_raises_nor_tells_again_and_the_engine_does_not_feed_itself() -> None:
    for _ in range(3):
        committed(*[guess() for _ in range(10)])
        integrate()
        follow()
    integrate()
    assert follow() == []
    (found,) = Detection.objects.all()
    assert found.count == 30
    assert raised() == [found.id]


def test_nothing_personal_is_in_what_is_stored() -> None:
    committed(*[guess(account="user-anna", source=f"203.0.113.{n}") for n in range(12)])
    integrate()
    follow()
    text = "".join(DetectionSlot.objects.values_list("state", flat=True)) + str(
        list(Detection.objects.values())
    )
    assert "user-anna" not in text
    assert "203.0.113" not in text
    assert DetectionSlot.objects.count() >= 2


def test_only_what_is_integrated_is_followed() -> None:
    committed(*[guess() for _ in range(10)])
    assert follow() == []
    integrate()
    assert len(follow()) == 1


def test_replaying_the_log_in_batches_of_any_size_gives_the_same_detections() -> None:
    attack(25)
    integrate()
    results = []
    for batch in (3, 17, 64, 1000):
        forget()
        follow(batch)
        results.append(stored())
    assert len(results[0]) > 5
    assert all(result == results[0] for result in results)


def attack(rounds: int) -> None:
    events = []
    for number in range(rounds):
        events += [
            guess(f"user-{number % 3}", f"192.0.2.{number % 5}"),
            guess(f"user-{number}", "198.51.100.1"),
            reuse(f"session-{number % 4}"),
            failure(user=f"user-{number % 2}", **{**HERE, "reason": ""}),
        ]
    for at in range(0, len(events), 50):
        committed(*events[at : at + 50])


def test_a_successor_log_is_followed_where_the_old_one_ended() -> None:
    committed(*[guess() for _ in range(6)])
    integrate()
    follow()
    begin(2)
    committed(*[guess() for _ in range(6)])
    integrate()
    (told,) = follow()
    assert told.count == 12
    assert store.read_cursor().place[0] == 2


def test_collapsed_events_count_as_what_they_stand_for() -> None:
    details = {"limit": "password_account_source", "key": "account_source", "count": 5}
    refused = guess(type=EventType.LIMIT_EXCEEDED, reason=Reason.LOCKED, details=details)
    for _ in range(20):
        collapsed(refused, key="password_account_source")
    integrate()
    assert follow() == []
    Tally.objects.update(ends_at=datetime(2026, 1, 1, tzinfo=UTC))
    close_tallies()
    integrate()
    (told,) = follow()
    assert (told.rule, told.count, len(told.earliest)) == ("brute_force", 20, 2)


def test_what_was_erased_before_it_was_seen_is_passed_over() -> None:
    ids = committed(*[guess() for _ in range(10)])
    integrate()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_personaldata WHERE event = %s", [ids[0]])
    assert follow() == []


def test_a_failure_while_telling_takes_everything_back() -> None:
    committed(*[guess() for _ in range(10)])
    integrate()

    def fail(_: Sequence[Detection]) -> None:
        raise RuntimeError("the queue is broken")

    with pytest.raises(RuntimeError):
        engine.advance(digest=digest, tell=fail)
    assert (Detection.objects.count(), DetectionSlot.objects.count(), raised()) == (0, 0, [])
    assert len(follow()) == 1


def test_a_thousand_detections_are_stored_and_a_bounded_number_told() -> None:
    for part in range(4):
        committed(*[reuse(f"session-{part}-{number}") for number in range(50)])
    integrate()
    told = follow(batch=60)
    floods = [one for one in told if one.rule == "detection_flood"]
    assert len(told) == engine.TOLD_PER_RULE + 1
    assert len(raised()) == len(told)
    (flood,) = floods
    assert Detection.objects.filter(rule="refresh_reuse").count() == 200
    assert Detection.objects.filter(announced=False).count() == 200 - engine.TOLD_PER_RULE
    assert Detection.objects.get(id=flood.id).count == 200 - engine.TOLD_PER_RULE


def test_slots_are_dropped_when_no_window_needs_them() -> None:
    committed(*[reuse(f"session-{number}") for number in range(3)])
    integrate()
    follow()
    assert DetectionSlot.objects.count() == 3
    newest = store.read_cursor().newest_ms
    store.drop_slots(newest + 3 * 3_600_000)
    assert DetectionSlot.objects.count() == 0


@only("postgres")
def test_of_many_engines_one_wins_each_batch() -> None:
    attack(60)
    integrate()
    told: list[str] = []
    lock = threading.Lock()

    def tell(new: Sequence[Detection]) -> None:
        with lock:
            told.extend(one.id for one in new)

    def work(_: int) -> None:
        idle = 0
        while idle < 3:
            idle = 0 if engine.advance(digest=digest, tell=tell, batch=9) else idle + 1
        connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    follow()
    found = stored()
    assert sorted(told) == sorted(one["id"] for one in found) == sorted(raised())
    forget()
    follow()
    assert [(one["id"], one["count"]) for one in stored()] == [(one["id"], one["count"]) for one in found]


FOLLOW = """
import django; django.setup()
from audit.detections import engine
from tests.unit.audit.attacks import digest
print("ready", flush=True)
while engine.advance(digest=digest, tell=lambda _: None, batch=5): pass
print("done", flush=True)
"""


def test_killed_anywhere_nothing_is_lost_or_doubled(log: Log) -> None:
    attack(50)
    integrate()
    environment = {**os.environ, **log.environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"}
    for number in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", FOLLOW], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.03 + 0.06 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    follow()
    killed = stored()
    assert sorted(raised()) == sorted(one["id"] for one in killed if one["announced"])
    forget()
    follow()
    assert stored() == killed


def test_the_work_grows_with_the_new_entries_only() -> None:
    def statements() -> int:
        attack(10)
        integrate()
        with CaptureQueriesContext(connection) as captured:
            follow()
        return len(captured)

    statements()
    early = statements()
    attack(400)
    integrate()
    follow()
    assert statements() <= early
