"""What auditors read of detections: pages, filters, whom they are about, and what was noted."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit.detections import engine, reading, slot, store
from audit.detections.reading import find_detection, find_detections
from audit.detections.tables import Detection, DetectionNote
from audit.events import EventType, Outcome, Source
from audit.filters import BadFilter, write_cursor
from tests.unit.audit.conftest import only
from tests.unit.audit.says import committed, failure
from tests.unit.audit.test_detection_engine import begin, follow, guess, integrate, reuse

FIELDS = {
    "id", "rule", "severity", "title", "why", "count", "figures", "first_event_at", "last_event_at", "raised_at",
    "events", "about", "told", "state", "acknowledged",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _started(log: object) -> None:
    begin(1)


def reuses(count: int, prefix: str = "session") -> None:
    committed(*[reuse(f"{prefix}-{number}") for number in range(count)])
    integrate()
    follow()


def sessions(page: reading.Page) -> list[str]:
    return [one["about"]["sessions"][0] for one in page.results]


def test_newest_first_and_pages_neither_repeat_nor_hide() -> None:
    reuses(7)
    first = find_detections({}, limit=3)
    assert sessions(first) == ["session-6", "session-5", "session-4"]
    assert first.previous is None
    reuses(2, "later")
    second = find_detections({}, cursor=first.next or "", limit=3)
    assert sessions(second) == ["session-3", "session-2", "session-1"]
    third = find_detections({}, cursor=second.next or "", limit=3)
    assert (sessions(third), third.next) == (["session-0"], None)
    back = find_detections({}, cursor=second.previous or "", limit=3)
    assert sessions(back) == ["session-6", "session-5", "session-4"]
    newest = find_detections({}, cursor=back.previous or "", limit=3)
    assert (sessions(newest), newest.previous) == (["later-1", "later-0"], None)
    assert sessions(find_detections({}, cursor=newest.next or "", limit=1)) == ["session-6"]


def test_filters() -> None:
    reuses(2)
    committed(*[guess() for _ in range(10)])
    integrate()
    follow()
    (guessing,) = find_detections({"rule": "brute_force"}).results
    assert guessing.keys() == FIELDS
    assert len(find_detections({"severity": "high"}).results) == 2
    assert find_detections({"severity": "high", "rule": "brute_force"}).results == []
    assert len(find_detections({"state": "open"}).results) == 3
    assert find_detections({"state": "acknowledged"}).results == []
    moment = guessing["last_event_at"]
    assert len(find_detections({"since": moment, "until": moment, "rule": "brute_force"}).results) == 1
    assert find_detections({"since": "2124-01-01"}).results == []
    assert find_detections({"until": "2024-01-01"}).results == []


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("rule", {"rule": "everything"}),
        ("severity", {"severity": "awful"}),
        ("state", {"state": "closed"}),
        ("since", {"since": "yesterday"}),
        ("user", {"user": "anna"}),
    ],
)
def test_bad_filters_are_named(field: str, given: dict[str, str]) -> None:
    with pytest.raises(BadFilter) as refused:
        find_detections(given)
    assert refused.value.field == field


@pytest.mark.parametrize("cursor", ["nonsense", write_cursor("<", "01a20a2c-881d-764c-ae95-3fa17434e261")])
def test_cursors_of_others_are_refused(cursor: str) -> None:
    with pytest.raises(BadFilter):
        find_detections({}, cursor=cursor)


def test_whom_it_is_about_comes_from_the_events_and_goes_with_them() -> None:
    ids = committed(*[guess("user-anna", f"192.0.2.{number % 2}") for number in range(10)])
    integrate()
    follow()
    (found,) = find_detections({}).results
    assert found["about"] == {
        "kind": "account", "users": ["user-anna"], "subjects": [], "ips": ["192.0.2.0", "192.0.2.1"], "sessions": [],
    }  # fmt: skip
    assert found["events"] == sorted(ids)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_personaldata")
    erased = find_detection(found["id"])
    assert erased is not None
    assert (erased["about"]["users"], erased["about"]["ips"], erased["count"]) == ([], [], 10)


def acknowledge(detection_id: str, note: str) -> None:
    with transaction.atomic():
        row = reading.lock_detection(detection_id)
        assert row is not None
        details: dict[str, Any] = {"detection": row.id, "rule": row.rule}
        (event,) = committed(
            failure(
                type=EventType.DETECTION_ACKNOWLEDGE, outcome=Outcome.SUCCESS, reason="", user="auditor-1",
                source=Source(ip="192.0.2.9"), details=details, text={"note": note},
            )
        )  # fmt: skip
        reading.acknowledge(row, event=event, now=timezone.now())


def test_a_note_stands_in_its_event_and_growth_after_it_shows() -> None:
    committed(*[guess() for _ in range(10)])
    integrate()
    follow()
    id_ = Detection.objects.get().id
    acknowledge(id_, "forgotten password")
    committed(guess())
    integrate()
    follow()
    (found,) = find_detections({"state": "acknowledged"}).results
    told = found["acknowledged"]
    assert (told["by"], told["note"], told["count"], found["count"]) == (
        "auditor-1", "forgotten password", 10, 11,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM audit_personaldata WHERE event = %s", [Detection.objects.get().acknowledgement]
        )
    (erased,) = find_detections({}).results
    assert (erased["state"], erased["acknowledged"]["by"], erased["acknowledged"]["note"]) == (
        "acknowledged", "", "",
    )  # fmt: skip


def test_every_note_is_shown_also_one_of_before_there_were_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    reuses(1)
    id_ = Detection.objects.get().id
    acknowledge(id_, "first")
    DetectionNote.objects.all().delete()  # as it was before
    assert noted(id_) == ["first"]
    acknowledge(id_, "second")
    acknowledge(id_, "third")
    assert noted(id_) == ["first", "second", "third"]
    monkeypatch.setattr(reading, "MOST_NOTES", 1)
    assert noted(id_) == ["third"]


@only("postgres")
def test_a_note_that_comes_while_a_flood_grows_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    reuses(engine.TOLD_PER_RULE + 1)
    flood = Detection.objects.get(rule="detection_flood")
    go_on = slot.greatest

    def come_between(*given: Any) -> list[str]:
        if noted(flood.id) == []:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(elsewhere, flood.id).result(timeout=20)
        return go_on(*given)

    def elsewhere(detection_id: str) -> None:
        try:
            acknowledge(detection_id, "noise")
        finally:
            connection.close()

    monkeypatch.setattr(store, "greatest", come_between)
    reuses(3, "later")
    (found,) = find_detections({"rule": "detection_flood", "state": "acknowledged"}).results
    assert (found["acknowledged"]["note"], found["acknowledged"]["count"], found["count"]) == ("noise", 1, 4)


def noted(detection_id: str) -> list[str]:
    found = find_detection(detection_id)
    assert found is not None
    return [one["note"] for one in found["notes"]]
