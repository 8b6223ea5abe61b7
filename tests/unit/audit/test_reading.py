"""Filters find exactly what they name, and pages neither repeat nor lose an event."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from audit import reading
from audit.events import Source
from audit.filters import BadFilter, parse_bound, write_cursor
from audit.models import PersonalData
from audit.reading import Page, find_event, find_events
from audit.validation import rfc3339
from tests.unit.audit.conftest import Log
from tests.unit.audit.says import committed, failure

pytestmark = pytest.mark.usefixtures("log")


def ids(page: Page) -> list[str]:
    return [record.id for record in page.results]


def walk(filters: dict[str, str], limit: int = 3) -> list[str]:
    """All ids, page by page, newest first."""
    page = find_events(filters, limit=limit)
    found = ids(page)
    while page.next:
        page = find_events(filters, cursor=page.next, limit=limit)
        found += ids(page)
    return found


def mixed(count: int) -> list[dict[str, Any]]:
    """Many events that differ in all that filters know; newest first, as readers see them."""
    generator = random.Random(7)
    events = [
        failure(
            type=generator.choice(["login.password", "login.second_factor", "session.reauthenticate"]),
            outcome=generator.choice(["success", "failure"]),
            reason=generator.choice(["", "used", "reused"]),
            severity=generator.choice(["info", "high"]),
            user=generator.choice(["", "user-1", "user-2"]),
            session=generator.choice(["", "s-1", "s-2"]),
            source=Source(
                ip=generator.choice(["", "192.0.2.1", "2001:db8::1"]),
                user_agent=generator.choice(["", "Firefox/128", "curl 8"]),
                request_id=generator.choice(["", "r-1", "r-2"]),
            ),
        )
        for _ in range(count)
    ]
    shown = [find_event(event_id) for event_id in committed(*events)]
    return [record.as_dict() for record in reversed(shown) if record]


def value_of(event: dict[str, Any], name: str) -> str:
    return str(event["source"][name] if name in event["source"] else event[name])


@pytest.mark.parametrize(
    "filters",
    [
        {"type": "login.password"},
        {"outcome": "failure"},
        {"reason": "used"},
        {"reason": "reused", "type": "login.password"},
        {"severity": "high"},
        {"user": "user-1"},
        {"session": "s-2"},
        {"ip": "192.0.2.1"},
        {"ip": "2001:0db8:0:0::1"},
        {"ip": "::ffff:192.0.2.1"},
        {"request_id": "r-1"},
        {"type": "session.reauthenticate", "user": "user-2"},
        {"ip": "192.0.2.1", "outcome": "success", "severity": "info"},
        {"user": "user-1", "ip": "192.0.2.1", "session": "s-1", "request_id": "r-2"},
        {},
    ],
)
def test_filters_find_exactly_what_they_name(filters: dict[str, str]) -> None:
    events = mixed(120)
    stored = {"2001:0db8:0:0::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1"}
    wanted = {name: stored.get(value, value) for name, value in filters.items()}
    expected = [e["id"] for e in events if all(value_of(e, name) == value for name, value in wanted.items())]
    assert walk(filters) == expected
    assert walk(filters, limit=200) == expected


@pytest.mark.parametrize("spelling", ["fe80::1", "FE80:0::01", "fe80::1%eth0"])
def test_an_address_is_found_in_any_spelling(spelling: str) -> None:
    (of_address,) = committed(failure(source=Source(ip="fe80::1")))
    assert ids(find_events({"ip": spelling})) == [of_address]


@pytest.mark.parametrize("name", ["user", "session"])
def test_uuid_in_capitals_is_found_and_another_id_is_taken_as_it_is(name: str) -> None:
    a_uuid = "0199d1f2-aaaa-7bbb-8ccc-00ddeeff0011"
    (of_uuid, of_word) = committed(failure(**{name: a_uuid}), failure(**{name: "word-1"}))
    assert ids(find_events({name: a_uuid.upper()})) == [of_uuid]
    assert ids(find_events({name: "word-1"})) == [of_word]
    assert ids(find_events({name: "WORD-1"})) == []


@pytest.mark.parametrize(
    ("words", "agents"),
    [
        ("firefox", {"Firefox/128"}),
        ("FIREFOX 128", {"Firefox/128"}),
        ("curl", {"curl 8"}),
        ("fire_ox", set()),
        ("%", set()),
    ],
)
def test_q_finds_words_in_any_text(words: str, agents: set[str]) -> None:
    events = mixed(60)
    expected = [event["id"] for event in events if event["source"]["user_agent"] in agents]
    assert walk({"q": words}) == expected


@pytest.mark.parametrize(
    "words", ["wrong_password", "user-1", "192.0.2.1", "r-1", "Zoë", "100%", "a!b", "digest_1", "theirs"]
)
def test_q_looks_into_every_text_field(words: str) -> None:
    (wanted,) = committed(failure(subject="digest_1", text={"note": "Zoë 100% a!b"}, source=Source(
        ip="192.0.2.1", user_agent="x", request_id="r-1", foreign_request_id="theirs")))  # fmt: skip
    committed(failure(reason="disabled", user="", source=Source()))
    assert walk({"q": words}) == [wanted]


@pytest.mark.parametrize(
    "words",
    ["äöß", "ÄÖß", "straẞE", "жук", "\u039a\u03a9\u03a3", '"hi"', "back\\slash", 'HI" BACK\\', "{x:1}"],
)
def test_q_folds_all_letters_and_finds_free_text_as_it_was_typed(words: str) -> None:
    note = "ÄÖß Straße ЖУК \u039a\u03a9\u03a3\u03a4\u0391\u03a3"
    note += ' quoted "hi" back\\slash {x:1}'
    (wanted,) = committed(failure(text={"note": note}))
    committed(failure(text={"note": "aos", "query": "q=strasse"}))
    assert walk({"q": words}) == [wanted]


@pytest.mark.parametrize("words", ["note", "query", '"', '":', "{", "\\"])
def test_q_does_not_find_how_free_text_is_stored(words: str) -> None:
    committed(failure(text={"note": "ä", "query": "ö"}), failure())
    assert walk({"q": words}) == []


def test_since_and_until_are_inclusive() -> None:
    found = [find_event(committed(failure())[0]) for _ in range(3)]
    first, second, third = [record for record in found if record]
    while len({first.time, second.time, third.time}) < 3:
        found = [find_event(committed(failure())[0]) for _ in range(3)]
        first, second, third = [record for record in found if record]
    exact = rfc3339(second.time)
    assert walk({"since": exact, "until": exact}) == [second.id]
    assert walk({"since": exact}) == [third.id, second.id]
    assert first.id in walk({"until": exact})
    assert third.id not in walk({"until": exact})
    later = (second.time + timedelta(microseconds=1)).isoformat()
    assert second.id not in walk({"since": later})
    assert second.id in walk({"until": later})
    today = second.time.date().isoformat()
    assert second.id in walk({"since": today, "until": today})
    assert parse_bound("until", "2001-01-02") == parse_bound("since", "2001-01-03")
    assert walk({"since": "2001-01-01T00:00:00+02:00", "until": "2001-01-02"}) == []
    assert walk({"until": "0001-01-01T00:00:00Z"}) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "red"), ("type", "login"), ("type", ""), ("outcome", "SUCCESS"), ("severity", "bad"),
        ("reason", ""), ("reason", "use"),
        ("user", "ana@example.org"), ("session", "a b"), ("ip", "300.1.1.1"), ("ip", "192.0.2.0/24"),
        ("request_id", "a b"), ("since", "yesterday"), ("since", "2026-01-01T00:00:00"),
        ("until", "2026-13-01"), ("until", "9999-12-31T23:59:59-23:59"), ("since", "0001-01-01T00:00:00+23:59"),
        ("q", "a\0b"), ("q", "a b c d e f"), ("q", "x" * 201),
    ],
)  # fmt: skip
def test_bad_filters_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(BadFilter) as refusal:
        find_events({field: value})
    assert refusal.value.field == field


@pytest.mark.parametrize("given", [
    "20260101T000000Z", "2026-W01-4T00:00:00Z", "2026-01-01X00:00:00Z", "2026-01-01T00Z", "2026-01-01T00:00:00+0000",
    "2026-01-01T00:00:00+00:00:30", "2026-01-01T00:00:00,5Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00+00:60", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00Z ",
])  # fmt: skip
@pytest.mark.parametrize("bound", ["since", "until"])
def test_moment_that_is_not_rfc_3339_is_refused(bound: str, given: str) -> None:
    with pytest.raises(BadFilter) as refusal:
        parse_bound(bound, given)
    assert refusal.value.field == bound


@pytest.mark.parametrize("given", [
    "2026-01-01T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01 00:00:00-00:00", "2026-01-01T05:30:00.000000000+05:30",
    "2025-12-31T23:59-00:01", "2026-01-01",
])  # fmt: skip
def test_moment_is_read_however_rfc_3339_lets_it_be_written(given: str) -> None:
    assert parse_bound("since", given) == 1767225600000


@pytest.mark.parametrize("limit", [0, -1, 201, "x", "", "1.5", "9" * 50, "\u0663"])
def test_bad_limits_are_refused(limit: int | str) -> None:
    with pytest.raises(BadFilter):
        find_events(limit=limit)


@pytest.mark.parametrize("cursor", ["x", "!!!", "PA", "PDEyMw", "é", "A" * 5000, "PCcgT1IgMT0xIC0t"])
def test_forged_cursors_are_refused(cursor: str) -> None:
    with pytest.raises(BadFilter) as refusal:
        find_events(cursor=cursor)
    assert refusal.value.field == "cursor"


def test_pages_lead_back_to_where_they_came_from() -> None:
    mixed(10)
    first = find_events(limit=4)
    assert first.previous is None
    second = find_events(cursor=first.next or "", limit=4)
    third = find_events(cursor=second.next or "", limit=4)
    assert (len(third.results), third.next) == (2, None)
    back = find_events(cursor=third.previous or "", limit=4)
    assert ids(back) == ids(second)
    again = find_events(cursor=back.previous or "", limit=4)
    assert (ids(again), again.previous) == (ids(first), None)
    assert ids(find_events(cursor=again.next or "", limit=4)) == ids(second)


def test_pages_are_stable_while_events_arrive() -> None:
    old = [event["id"] for event in mixed(12)]
    page = find_events(limit=3)
    forward = ids(page)
    while page.next:
        new = committed(failure(user="new"))
        page = find_events(cursor=page.next, limit=3)
        forward += ids(page)
    assert forward == old
    backward = ids(page)
    while page.previous:
        page = find_events(cursor=page.previous, limit=3)
        backward = ids(page) + backward
    assert backward[-len(old) :] == old
    assert new[0] in backward
    assert len(set(backward)) == len(backward)


def test_an_empty_page_leads_back() -> None:
    mixed(3)
    page = find_events(limit=2)
    nothing = find_events({"until": "2001-01-01"}, cursor=page.next or "", limit=2)
    assert (nothing.results, nothing.next) == ((), None)
    back = find_events(cursor=nothing.previous or "", limit=2)
    assert ids(back) == ids(page)


@pytest.mark.parametrize("limit", [1, 7])
def test_a_search_out_of_time_answers_what_it_has_and_goes_on(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BUDGET_SECONDS", -1)
    monkeypatch.setattr(reading, "FIRST_WINDOW", 5)
    events = mixed(90)
    expected = [event["id"] for event in events if (event["user"], event["session"]) == ("user-1", "s-1")]
    filters = {"user": "user-1", "session": "s-1"}
    assert walk(filters, limit=limit) == expected
    page = find_events(filters, limit=limit)
    while page.next:
        page = find_events(filters, cursor=page.next, limit=limit)
    backward = ids(page)
    while page.previous:
        page = find_events(filters, cursor=page.previous, limit=limit)
        backward = ids(page) + backward
    assert backward == expected


def test_erased_personal_data_hides_the_event_from_its_filters_only() -> None:
    (event_id,) = committed(failure())
    PersonalData.objects.all().delete()
    assert walk({"user": "user-1"}) == walk({"ip": "192.0.2.1"}) == []
    assert walk({"type": "login.password"}) == walk({"q": "wrong_password"}) == [event_id]


def test_find_event_refuses_what_is_no_id() -> None:
    for no_id in ("", "x", "'; --", "a\0", "01a20a1f-f1d1-779e-930a-0e5f38848258"):
        assert find_event(no_id) is None


def plan_of(filters: dict[str, str], log: Log, *disabled: str, cursor: str = "") -> str:
    """How the database finds the first window of a page; `disabled`: what PostgreSQL is to do without."""
    sql: list[tuple[Any, ...]] = []

    def note(run: Callable[..., Any], *query: Any) -> Any:
        sql.append(query)
        return run(*query)

    with connection.execute_wrapper(note):
        find_events(filters, cursor=cursor)
    explain = "EXPLAIN QUERY PLAN " if log.vendor == "sqlite" else "EXPLAIN "
    with transaction.atomic(), connection.cursor() as database:
        for way in disabled if log.vendor == "postgresql" else ():
            database.execute(f"SET LOCAL enable_{way} = off")
        database.execute(explain + sql[0][0], sql[0][1])
        return "\n".join(str(row) for row in database.fetchall())


@pytest.mark.parametrize("name", ["type", "outcome", "severity", "user", "session", "ip", "request_id"])
def test_each_filter_has_an_index_in_order(name: str, log: Log) -> None:
    value = {"type": "audit.read", "outcome": "failure", "severity": "high", "ip": "192.0.2.1"}.get(name, "x")
    plan = plan_of({name: value}, log, "seqscan", "bitmapscan")
    index = f"audit_event_{name}" if name in ("user", "ip") else f"audit_id_{name}"
    begin, end = (
        ("CTE span", "Nested Loop") if log.vendor == "postgresql" else ("MATERIALIZE span", "SCAN span")
    )
    span = plan.partition(begin)[2].partition(end)[0]
    assert index in span
    assert "Sort" not in span
    assert "TEMP B-TREE" not in span


def test_no_event_is_read_but_those_of_the_window(log: Log) -> None:
    cursor = write_cursor("<", "01a20a1f-f1d1-779e-930a-0e5f38848258")
    plan = plan_of({"user": "x", "type": "login.password"}, log, cursor=cursor)
    looked_up = "USING INDEX sqlite_autoindex_audit_event_1 (id=?)"
    bound = "(id)::text <= '01a20a1f-f1d1-779e-930a-0e5f38848258'"
    assert (looked_up if log.vendor == "sqlite" else bound) in plan
