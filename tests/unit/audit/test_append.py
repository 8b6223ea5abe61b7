"""An event commits with what it reports, in one statement, with personal data apart, and is printed afterwards."""

import json

import pytest
import structlog
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from audit import append as writer
from audit.append import append
from audit.canonical import is_opening
from audit.events import EventType, Outcome, Reason, Source
from audit.models import Event, PersonalData
from audit.reading import find_event
from audit.validation import UnknownDetail
from tests.unit.audit.conftest import Log
from tests.unit.audit.says import HERE, committed, failure

pytestmark = pytest.mark.usefixtures("log")


class Boom(Exception):
    pass


def test_append_outside_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        append(failure())
    assert Event.objects.count() == 0


def test_event_is_rolled_back_with_what_it_reports() -> None:
    with capture_logs() as lines, pytest.raises(Boom), transaction.atomic():
        append(failure())
        raise Boom
    assert (Event.objects.count(), PersonalData.objects.count(), lines) == (0, 0, [])


def test_event_of_a_rolled_back_savepoint_is_neither_stored_nor_printed() -> None:
    with capture_logs() as lines, transaction.atomic():
        append(failure(user="kept"))
        with pytest.raises(Boom), transaction.atomic():
            append(failure(user="gone"))
            raise Boom
    assert [line["user"] for line in lines] == ["kept"]
    assert Event.objects.count() == 1


def test_the_line_is_printed_only_after_the_commit_and_says_the_same_event() -> None:
    with capture_logs() as lines:
        with transaction.atomic():
            (event_id,) = append(failure(details={"next": "verify"}))
            assert lines == []
        (line,) = lines
    shown = find_event(event_id)
    assert shown is not None
    assert {name: line[name] for name in shown.as_dict()} == shown.as_dict()
    assert json.loads(json.dumps(line)) == line


def test_a_broken_standard_output_does_not_undo_what_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def info(self, *_: object, **__: object) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(writer, "log", Broken())
    committed(failure())
    assert Event.objects.count() == 1


def test_several_events_and_their_personal_data_are_one_statement_on_postgresql(log: Log) -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        ids = append(failure(), failure(user="user-2"), failure(source=Source(), user=""))
    if log.vendor == "postgresql":
        assert len(queries) == 1
    assert list(Event.objects.order_by("id").values_list("id", flat=True)) == list(ids)
    assert set(PersonalData.objects.values_list("event", flat=True)) == set(ids[:2])


def test_personal_data_and_free_text_stand_apart_behind_commitments() -> None:
    (event_id,) = committed(failure(subject="digest_1", text={"note": "Ana asked for it"}))
    event, personal = Event.objects.get(), PersonalData.objects.get()
    stored = json.dumps([str(value) for value in Event.objects.values_list()[0]])
    for value in ("192.0.2.1", "Tester", "theirs", "user-1", "digest_1", "Ana"):
        assert value not in stored
    values = {
        "user": "user-1", "subject": "digest_1", "ip": "192.0.2.1", "user_agent": "Tester/1.0",
        "foreign_request_id": "theirs", "text.note": "Ana asked for it",
    }  # fmt: skip
    assert event.commitments.keys() == personal.salts.keys() == values.keys()
    for name, value in values.items():
        assert is_opening(event.commitments[name], personal.salts[name], name, value)
    record = find_event(event_id)
    assert record is not None
    assert record.personal_values() == values


def test_equal_values_have_unlike_commitments() -> None:
    committed(failure(), failure())
    first, second = Event.objects.values_list("commitments", flat=True)
    assert not set(first.values()) & set(second.values())


def test_an_event_survives_the_erasure_of_its_personal_data() -> None:
    (event_id,) = committed(failure(details={"next": "verify"}))
    PersonalData.objects.all().delete()
    record = find_event(event_id)
    assert record is not None
    shown = record.as_dict()
    assert (shown["user"], shown["source"]["ip"], shown["details"]) == ("", "", {"next": "verify"})
    assert record.commitments


def test_time_is_the_time_inside_the_id() -> None:
    committed(failure())
    event = Event.objects.get()
    assert int(event.time.timestamp() * 1000 + 0.5) == int(event.id.replace("-", "")[:12], 16)


def test_the_shape_is_the_published_one() -> None:
    (event_id,) = committed(failure(session="s-1", details={"next": "enroll"}))
    record = find_event(event_id)
    assert record is not None
    shown = record.as_dict()
    assert shown.pop("time").endswith("Z")
    assert shown == {
        "id": event_id,
        "type": "login.password",
        "outcome": "failure",
        "reason": "wrong_password",
        "severity": "low",
        "user": "user-1",
        "subject": "",
        "session": "s-1",
        "source": {"ip": "192.0.2.1", "user_agent": "Tester/1.0", "request_id": "r-1"},
        "details": {"next": "enroll"},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "login.guess"},
        {"outcome": "maybe"},
        {"reason": "he was tired"},
        {"severity": "awful"},
        {"user": "ana@example.org"},
        {"subject": "ana@example.org"},
        {"session": "a b"},
        {"source": Source(request_id="a\nb")},
        {"details": {"next": "door"}},
        {"text": {"password": "x"}},
    ],
)
def test_what_the_vocabulary_does_not_know_is_a_programming_error(changes: dict[str, object]) -> None:
    with pytest.raises(UnknownDetail), transaction.atomic():
        append(failure(**changes))
    assert Event.objects.count() == 0


def test_one_bad_event_of_several_stores_none() -> None:
    with transaction.atomic(), pytest.raises(UnknownDetail):
        append(failure(), failure(details={"next": 1}))
    assert Event.objects.count() == 0


@pytest.mark.parametrize(
    "sent", ["a\0b", "\ud800", "‮ evil", "😀" * 400, "'; DROP TABLE audit_event; --", "%s", "{}"]
)
def test_any_user_agent_is_stored_and_opens_its_commitment(sent: str) -> None:
    (event_id,) = committed(failure(source=Source(user_agent=sent)))
    record = find_event(event_id)
    assert record is not None
    assert 0 < len(record.user_agent) <= 512
    assert is_opening(
        record.commitments["user_agent"], record.salts["user_agent"], "user_agent", record.user_agent
    )


def test_a_token_sent_as_user_agent_is_not_stored() -> None:
    (event_id,) = committed(
        failure(source=Source(user_agent="x eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln y"))
    )
    record = find_event(event_id)
    assert record is not None
    assert record.user_agent == "x [redacted] y"


def test_severity_follows_type_and_outcome_unless_stated() -> None:
    success = failure(outcome=Outcome.SUCCESS, reason=Reason.NONE)
    reuse = failure(type=EventType.TOKEN_REUSE, reason=Reason.REUSED)
    committed(success, failure(), reuse, failure(severity="critical"))
    assert list(Event.objects.order_by("id").values_list("severity", flat=True)) == [
        "info",
        "low",
        "high",
        "critical",
    ]


def test_context_of_the_request_does_not_hide_the_event(capsys: pytest.CaptureFixture[str]) -> None:
    with capture_logs() as lines, structlog.contextvars.bound_contextvars(request_id="bound"):
        committed(failure())
    assert lines[0]["source"]["request_id"] == HERE.request_id
