"""What auditors read of everybody, and people of themselves."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.client import PASSWORD, Client, Person, expect, new_email
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server

MEMBERS = {
    "id", "time", "type", "outcome", "reason", "severity", "user", "subject", "session", "source", "details",
}  # fmt: skip


@pytest.fixture(scope="module")
def auditor(server: Server) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Asks the log with filters; the results."""
    client = Client(server, new_address())
    person = client.create_person(role="auditor")

    def ask(**filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={quote(value)}" for name, value in filters.items())
        return list(expect(client.get(f"audit/events/?{query}", person.access), 200)["results"])

    ask.client, ask.person = client, person  # type: ignore[attr-defined]
    yield ask
    client.close()


Ask = Callable[..., list[dict[str, Any]]]


def test_journey_leaves_its_events_in_order(auditor: Ask, client: Client) -> None:
    person = client.sign_up()
    client.login(person, "wrong-" + PASSWORD)
    person.keep(expect(client.refresh(person.refresh), 200))
    expect(client.post("logout/", token=person.access), 204)
    events = auditor(ip=client.address)[::-1]
    assert [(event["type"], event["outcome"], event["reason"]) for event in events] == [
        ("account.register", "success", ""),
        ("account.confirm", "success", ""),
        ("mfa.totp.begin", "success", ""),
        ("mfa.totp.confirm", "success", ""),
        ("mfa.recovery_codes.generate", "success", ""),
        ("session.open", "success", ""),
        ("login.password", "failure", "wrong_password"),
        ("token.refresh", "success", ""),
        ("session.end", "success", "logout"),
    ]
    for event in events:
        assert set(event) == MEMBERS
        assert event["source"]["ip"] == client.address
        assert event["time"].endswith("Z")
    user = {event["user"] for event in events[1:]}
    assert len(user) == 1
    assert events[0]["subject"]
    login = {event["details"]["login"] for event in events[1:4] + events[5:6]}
    assert len(login) == 1, "the confirmation is the first step of the first login"
    assert person.email not in str(events)


def test_each_filter_selects_what_it_says(auditor: Ask, client: Client) -> None:
    person = client.sign_up()
    client.http.headers["User-Agent"] = "Testbrowser/7 (x_y; 100%)"
    client.login(person, "wrong-" + PASSWORD)
    (failed,) = auditor(ip=client.address, outcome="failure")
    assert failed["source"]["user_agent"] == "Testbrowser/7 (x_y; 100%)"
    mine = {"ip": client.address}
    for filters in (
        {"type": "login.password"},
        {"severity": "low", "outcome": "failure"},
        {"user": failed["user"], "outcome": "failure"},
        {"request_id": failed["source"]["request_id"]},
        {"q": "testBROWSER/7 WRONG_pass"},
        {"since": failed["time"], "until": failed["time"]},
    ):
        assert [event["id"] for event in auditor(**mine, **filters)] == [failed["id"]], filters
    opened = auditor(session=person.session_id)
    assert {event["type"] for event in opened} == {"session.open"}
    assert auditor(**mine, until="2020-01-01T00:00:00Z") == []
    assert auditor(q="7_(x") == []


def test_unknown_filters_are_refused_by_name(auditor: Ask, client: Client) -> None:
    reader, person = auditor.client, auditor.person  # type: ignore[attr-defined]
    for query in (
        "nobody=1",
        "type=login",
        "outcome=maybe",
        "limit=0",
        "limit=201",
        "cursor=x",
        "since=2020",
    ):
        response = reader.get(f"audit/events/?{query}", person.access)
        assert set(problem(response, "validation_failed")["errors"]) == {query.partition("=")[0]}


def test_pages_lead_forth_and_back_and_stay_stable(auditor: Ask, client: Client) -> None:
    person = client.sign_up()
    reader, holder = auditor.client, auditor.person  # type: ignore[attr-defined]
    whole = [event["id"] for event in auditor(ip=client.address)]
    assert [
        event["id"] for event in auditor(ip=f"::ffff:{client.address}", since="2026-01-01t00:00:00z")
    ] == whole
    pages, urls = [], [f"audit/events/?ip={client.address}&limit=2"]
    while urls[-1]:
        page = expect(reader.get(urls[-1], holder.access), 200)
        pages.append(page)
        if len(pages) == 1:
            client.login(person, "wrong-" + PASSWORD)
        urls.append(page["next"] and page["next"].removeprefix(reader.server.origin))
    assert [event["id"] for page in pages for event in page["results"]] == whole
    assert pages[0]["previous"] is None or pages[0]["results"]
    back = expect(reader.get(pages[1]["previous"].removeprefix(reader.server.origin), holder.access), 200)
    assert [event["id"] for event in back["results"]] == whole[:2]
    assert "limit=2" in pages[0]["next"]


def test_single_event_is_read_by_its_id(auditor: Ask) -> None:
    reader, holder = auditor.client, auditor.person  # type: ignore[attr-defined]
    event = auditor(limit="1")[0]
    assert expect(reader.get(f"audit/events/{event['id']}/", holder.access), 200) == event
    for unknown in (event["id"][:-4] + "0000", "nothing"):
        problem(reader.get(f"audit/events/{unknown}/", holder.access), "not_found")


def test_reading_the_log_is_recorded_once_for_equal_questions(auditor: Ask, client: Client) -> None:
    reader, holder = auditor.client, auditor.person  # type: ignore[attr-defined]
    for _ in range(3):
        auditor(q=client.address)
    reads = auditor(type="audit.read", ip=reader.address, q=client.address)
    assert len(reads) == 1
    assert reads[0]["details"]["query"] == f"q={client.address}"
    assert reads[0]["session"] == holder.session_id


def test_log_is_closed_to_people_without_the_role(auditor: Ask, client: Client) -> None:
    person = client.sign_up()
    event = auditor(limit="1")[0]["id"]
    doors = {"audit/events/": "auditor", f"audit/events/{event}/": "auditor", "admin/users/": "admin"}
    for path in doors:
        problem(client.get(path, person.access), "permission_denied")
        problem(client.get(path), "invalid_token")
    denied = auditor(type="permission.denied", ip=client.address)
    assert {event["reason"] for event in denied} == {"role_missing"}
    tried = {event["details"]["path"].removeprefix("/api/v1/"): event["details"]["role"] for event in denied}
    assert tried == doors


def test_people_read_their_own_events_and_nobody_elses(
    client: Client, new_client: Callable[..., Client]
) -> None:
    person, other = client.sign_up(), new_client().sign_up()
    activity = expect(client.get("me/activity/?limit=2", person.access), 200)
    assert set(activity) == {"results", "next", "previous"}
    assert [event["type"] for event in activity["results"]] == ["session.open", "mfa.recovery_codes.generate"]
    everything = expect(client.get("me/activity/", person.access), 200)["results"]
    assert len({event["user"] for event in everything}) == 1
    assert everything[0]["user"] != expect(client.me(other.access), 200)["id"]
    response = client.get(f"me/activity/?user={other.session_id}", person.access)
    assert set(problem(response, "validation_failed")["errors"]) == {"user"}


def test_people_read_why_a_command_acted_on_their_account(client: Client, server: Server) -> None:
    person = client.sign_up()
    server.manage("unlock", person.email, "--reason", "asked for by telephone")
    event = expect(client.get("me/activity/?limit=1", person.access), 200)["results"][0]
    assert (event["type"], event["reason"]) == ("account.unlock", "by_command")
    assert event["details"] == {"note": "asked for by telephone"}


def test_reading_ones_own_data_is_no_event(auditor: Ask, client: Client) -> None:
    person = client.sign_up()
    before = len(auditor(ip=client.address))
    for path in ("me/", "mfa/", "sessions/", "devices/", "me/activity/"):
        expect(client.get(path, person.access), 200)
    for response in (client.get("nowhere/"), client.get("me/"), client.get("login/"), client.me("forged")):
        assert response.status_code >= 400
    assert len(auditor(ip=client.address)) == before


def test_unknown_account_leaves_a_keyed_hash_only(auditor: Ask, client: Client) -> None:
    stranger = Person(new_email())
    client.login(stranger)
    client.login(stranger)
    events = auditor(ip=client.address)
    assert {event["reason"] for event in events} == {"unknown_account"}
    assert {event["user"] for event in events} == {""}
    subjects = {event["subject"] for event in events}
    assert len(subjects) == 1
    assert stranger.email not in str(events)
