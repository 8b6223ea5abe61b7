"""A flood is one event in full and one count, however many processes it comes from."""

import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit import tallies
from audit.append import append_collapsed, close_tallies
from audit.events import Source
from audit.models import Event, Tally
from audit.reading import find_events
from tests.commands import run_forked
from tests.server import LIBRARIES
from tests.unit.audit.conftest import Log, only
from tests.unit.audit.says import collapsed, failure, limit_hit

pytestmark = pytest.mark.usefixtures("log")


def end_windows() -> None:
    """As if every window had ended a while ago."""
    Tally.objects.update(ends_at=timezone.now() - timedelta(seconds=5))


def counts() -> list[dict[str, Any]]:
    return [record.as_dict() for record in find_events({"type": "log.collapsed"}, limit=200).results]


def flood(log: Log, processes: int, **plan: Any) -> Counter[str]:
    """The sums of what several processes did."""
    environment = {**os.environ, **log.environment, "DJANGO_SETTINGS_MODULE": "secure_auth.settings"}
    orders = [
        ["-m", "tests.unit.audit.flood", json.dumps({**plan, "seed": number})] for number in range(processes)
    ]
    with ThreadPoolExecutor(processes) as threads:
        running = [threads.submit(run_forked, LIBRARIES, order, environment=environment) for order in orders]
    total: Counter[str] = Counter()
    for one in running:
        done = one.result()
        assert done.returncode == 0, done.stderr
        total.update(json.loads(done.stdout.splitlines()[-1]))
    assert not [name for name in total if name.startswith("error")], total
    return total


def test_a_window_that_ended_just_now_is_left_to_who_counted_in_time() -> None:
    """A transaction that counts before the end may commit after it, and its count would be of no window."""
    assert [collapsed(limit_hit()) for _ in range(3)] == [True, False, False]
    Tally.objects.update(ends_at=timezone.now() - tallies.GRACE / 10)
    assert close_tallies() == 0
    assert Tally.objects.get().count == 2
    Tally.objects.update(ends_at=timezone.now() - 2 * tallies.GRACE)
    assert close_tallies() == 1
    assert counts()[0]["details"]["count"] == 2


def test_the_first_is_written_and_the_others_are_counted() -> None:
    assert [collapsed(limit_hit()) for _ in range(5)] == [True, False, False, False, False]
    first = Event.objects.get()
    assert close_tallies() == 0
    end_windows()
    assert close_tallies() == 1
    (event,) = counts()
    assert event["details"] == {
        "type": "limit.exceeded", "reason": "rate_limited", "first_event": first.id, "count": 4,
        "window_seconds": 60,
    }  # fmt: skip
    assert (event["outcome"], event["severity"]) == ("failure", "medium")
    assert event["source"]["ip"] == "192.0.2.1"
    assert not Tally.objects.exists()
    assert close_tallies() == 0


def test_a_lone_event_leaves_no_count() -> None:
    assert collapsed(limit_hit())
    end_windows()
    assert close_tallies() == 0
    assert Event.objects.count() == 1


def test_what_differs_in_type_reason_source_or_key_is_no_flood() -> None:
    told_apart = [
        limit_hit(), limit_hit(reason="locked"), limit_hit(ip="192.0.2.2"), limit_hit(ip="2001:db8:0:1::1"),
        limit_hit(ip="2001:db8:0:2::1"), failure(),
    ]  # fmt: skip
    assert all(collapsed(event) for event in told_apart)
    assert collapsed(limit_hit(), key="other")
    assert not any(collapsed(event) for event in told_apart)


def test_addresses_of_one_ipv6_network_are_one_source() -> None:
    assert collapsed(limit_hit(ip="2001:db8::1"))
    assert not collapsed(limit_hit(ip="2001:db8::ffff:1:2:3"))
    assert tallies.source_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert tallies.source_of("nonsense") == "nonsense"


def test_a_window_begins_with_its_first_event_and_ends() -> None:
    assert collapsed(limit_hit(), window_seconds=1)
    assert not collapsed(limit_hit(), window_seconds=1)
    time.sleep(1.05)
    assert collapsed(limit_hit(), window_seconds=1)
    assert not collapsed(limit_hit(), window_seconds=1)
    end_windows()
    assert close_tallies() == 2
    assert [event["details"]["count"] for event in counts()] == [1, 1]


def test_a_window_that_a_clock_began_which_was_ahead_swallows_no_flood_once_it_is_set_right() -> None:
    assert collapsed(limit_hit(), window_seconds=3600)
    assert not collapsed(limit_hit())
    assert not tallies.end_distant()
    Tally.objects.update(ends_at=timezone.now() + timedelta(days=400))
    assert tallies.end_distant() == 1
    assert collapsed(limit_hit())
    Tally.objects.exclude(count=0).update(ends_at=timezone.now() - timedelta(seconds=5))
    assert close_tallies() == 1
    assert [event["details"]["count"] for event in counts()] == [1]


def test_user_and_session_stand_in_the_count_only_where_all_share_them() -> None:
    for number in range(3):
        collapsed(limit_hit(user="user-1", session="s-1"), key="same")
        collapsed(limit_hit(user=f"user-{number}", session=f"s-{number}"), key="mixed")
    end_windows()
    close_tallies()
    assert sorted((event["user"], event["session"]) for event in counts()) == [("", ""), ("user-1", "s-1")]


def test_what_is_rolled_back_neither_opens_nor_counts() -> None:
    for opens in (True, False):
        with transaction.atomic():
            assert append_collapsed(limit_hit(), key=str(opens)) is True
            transaction.set_rollback(True)
        assert collapsed(limit_hit(), key=str(opens)) is True
        with transaction.atomic():
            assert append_collapsed(limit_hit(), key=str(opens)) is False
            transaction.set_rollback(True)
    end_windows()
    assert close_tallies() == 0


def test_collapsing_outside_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        append_collapsed(limit_hit())


def test_a_failure_while_closing_keeps_the_tally(monkeypatch: pytest.MonkeyPatch) -> None:
    collapsed(limit_hit())
    collapsed(limit_hit())
    end_windows()
    with monkeypatch.context() as broken:
        broken.setattr("audit.append._insert", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            close_tallies()
    assert close_tallies() == 1


def test_a_flood_from_several_processes_is_one_event_and_an_exact_count(log: Log) -> None:
    total = flood(log, 3, threads=4, events=40, key="k", window_seconds=600)
    assert (total["full"], total["counted"]) == (1, 479)
    assert Event.objects.count() == 1
    end_windows()
    assert close_tallies() == 1
    assert counts()[0]["details"]["count"] == 479


def test_windows_that_end_amid_a_flood_with_rollbacks_lose_and_double_nothing(log: Log) -> None:
    stop = threading.Event()
    closed = 0

    def keep_closing() -> None:
        nonlocal closed
        try:
            while not stop.wait(0.2):
                closed += close_tallies()
        finally:
            connection.close()

    closer = threading.Thread(target=keep_closing)
    closer.start()
    total = flood(log, 2, threads=4, events=60, key="k", window_seconds=1, undone=0.2, hold_seconds=0.02)
    stop.set()
    closer.join()
    end_windows()
    close_tallies()
    events = counts()
    assert total["undone"] > 0
    assert Event.objects.filter(type="limit.exceeded").count() == total["full"]
    assert sum(event["details"]["count"] for event in events) == total["counted"]
    firsts = [event["details"]["first_event"] for event in events]
    assert set(firsts) <= set(Event.objects.filter(type="limit.exceeded").values_list("id", flat=True))


@only("postgres")
def test_counting_does_not_wait_for_a_transaction_that_counted() -> None:
    collapsed(limit_hit())
    waited: list[float] = []

    def count_meanwhile() -> None:
        started = time.monotonic()
        assert not collapsed(limit_hit())
        waited.append(time.monotonic() - started)
        connection.close()

    with transaction.atomic():
        assert not append_collapsed(limit_hit())
        threads = [threading.Thread(target=count_meanwhile) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(waited) == 8
    end_windows()
    assert close_tallies() == 1
    assert counts()[0]["details"]["count"] == 9


@only("postgres")
def test_appending_does_not_wait_for_another_open_transaction() -> None:
    done = threading.Event()

    def append_meanwhile() -> None:
        collapsed(failure(source=Source(ip="198.51.100.7")))
        done.set()
        connection.close()

    with transaction.atomic():
        append_collapsed(failure())
        thread = threading.Thread(target=append_meanwhile)
        thread.start()
        assert done.wait(10)
    thread.join()
