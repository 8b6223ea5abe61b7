"""Counts for charts: what an auditor sees of the log at a glance."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import PASSWORD, Client, Person, expect
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server


@pytest.fixture(scope="module")
def auditor(server: Server) -> Iterator[tuple[Client, Person]]:
    client = Client(server, new_address())
    yield client, client.create_person(role="auditor")
    client.close()


def ask(auditor: tuple[Client, Person], **query: str) -> dict[str, Any]:
    client, person = auditor
    return dict(expect(client.get("audit/summary/", person.access, params=query), 200))


def test_what_happened_is_counted_within_seconds(auditor: tuple[Client, Person], client: Client) -> None:
    before = ask(auditor)["totals"]["type"].get("account.register", 0)
    person = client.sign_up()
    client.login(person, "wrong-" + PASSWORD)
    deadline = time.monotonic() + 20
    while (found := ask(auditor))["totals"]["type"].get("account.register", 0) == before:
        assert time.monotonic() < deadline, "the summary stays behind"
        time.sleep(0.2)
    assert found["bucket"] == "hour"
    assert len(found["results"]) == 24
    assert found["until"] > found["results"][-1]["start"]
    assert sum(bucket["events"] for bucket in found["results"]) == found["totals"]["events"]
    for name in ("type", "outcome", "severity"):
        assert sum(found["totals"][name].values()) == found["totals"]["events"]
    assert 0 < found["reach"]["counted"] <= found["reach"]["entries"]
    assert found["failures"]["looked_at"] >= 1


@pytest.mark.parametrize(
    "query",
    [
        "bucket=week",
        "bucket=",
        "since=yesterday",
        "type=audit.read",
        "limit=5",
        "since=2020-01-01",
        "until=x",
        "until=0001-01-01T00:00:00Z",
        "until=1970-06-30",
        "until=9999-12-31T23:59:59Z",
        "since=9999-12-31T23:00:00Z",
    ],
)
def test_bad_spans_are_refused_by_name(auditor: tuple[Client, Person], query: str) -> None:
    client, person = auditor
    name, _, value = query.partition("=")
    answer = client.get("audit/summary/", person.access, params={name: value})
    blamed = "bucket" if query == "since=2020-01-01" else name
    assert set(problem(answer, "validation_failed")["errors"]) == {blamed}


def test_a_day_is_asked_for_by_its_date(auditor: tuple[Client, Person]) -> None:
    found = ask(auditor, since="2020-02-28", until="2020-03-01", bucket="day")
    assert [bucket["start"][:10] for bucket in found["results"]] == ["2020-02-28", "2020-02-29", "2020-03-01"]
    assert found["totals"] == {"events": 0, "type": {}, "outcome": {}, "severity": {}}


def test_looking_at_the_summary_is_recorded_and_for_auditors_only(
    auditor: tuple[Client, Person], client: Client
) -> None:
    reader, person = auditor
    ask(auditor, bucket="day")
    mine = {"type": "audit.read", "session": person.session_id, "q": "bucket=day"}
    reads = expect(reader.get("audit/events/", person.access, params=mine), 200)["results"]
    assert "summary" in {read["details"]["view"] for read in reads}
    stranger = client.sign_up()
    problem(client.get("audit/summary/", stranger.access), "permission_denied")
    problem(client.get("audit/summary/"), "invalid_token")
