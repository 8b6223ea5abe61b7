"""Attacks on a running service are recognised, listed with what shows them, and noted by auditors."""

from collections.abc import Callable, Iterator

import pytest

from tests.attacks.evidence import events as logged
from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address
from tests.detecting import detections, wait_for_detection, wait_until_followed
from tests.problems import problem
from tests.server import Server
from tests.watcher import LookIn

NewClient = Callable[..., Client]


@pytest.fixture(scope="module")
def auditor(server: Server) -> Iterator[tuple[Client, Person]]:
    client = Client(server, new_address())
    yield client, client.create_person(role="auditor")
    client.close()


def user_id(client: Client, person: Person) -> str:
    return str(expect(client.me(person.access), 200)["id"])


def test_password_guessing_is_recognised_and_grows_quietly(
    auditor: tuple[Client, Person], new_client: NewClient, server: Server
) -> None:
    owner = new_client()
    person = owner.create_person()
    victim = user_id(owner, person)
    attackers = [new_client(), new_client()]
    for attacker in attackers:
        for _ in range(5):
            problem(attacker.login(person, "a wrong phrase 1"), "invalid_credentials")
    found = wait_for_detection(*auditor, "brute_force", user=victim)
    assert (found["about"]["users"], found["state"], found["acknowledged"]) == ([victim], "open", None)
    assert found["about"]["ips"] == sorted(attacker.address for attacker in attackers)
    assert (found["count"], found["figures"]) == (10, {"guesses": 10, "sources": 2})
    assert "10 wrong passwords" in found["why"]
    client, reader = auditor
    shown = expect(client.get(f"audit/events/{found['events'][0]}/", reader.access), 200)
    assert (shown["type"], shown["reason"], shown["user"]) == ("login.password", "wrong_password", victim)
    third = new_client()
    for _ in range(3):
        problem(third.login(person, "a wrong phrase 2"), "invalid_credentials")
    wait_until_followed(server)
    again = expect(client.get(f"audit/detections/{found['id']}/", reader.access), 200)
    assert (again["count"], again["figures"]["sources"]) == (13, 3)
    raised = client.get("audit/events/", reader.access, params={"type": "detection.raise", "limit": "200"})
    told = [one for one in expect(raised, 200)["results"] if one["details"]["detection"] == found["id"]]
    assert len(told) == found["told"]
    assert all(not one["user"] and not one["source"]["ip"] for one in told)


def test_the_page_of_guesses_at_no_account_leads_to_them(
    auditor: tuple[Client, Person], new_client: NewClient, look_in: LookIn
) -> None:
    nobody, attackers = Person(new_email()), [new_client(), new_client()]
    for attacker in attackers:
        for _ in range(5):
            problem(attacker.login(nobody, "a wrong phrase 1"), "invalid_credentials")
    found = wait_for_detection(*auditor, "brute_force", ip=attackers[0].address)
    (subject,) = found["about"]["subjects"]
    watcher = look_in(auditor[1])
    page = watcher.get(f"/console/detections/{found['id']}/").text
    assert f'href="/console/events/?q={subject}"' in page
    assert all(one.address in watcher.get(f"/console/events/?q={subject}").text for one in attackers)


def test_spraying_is_recognised_by_its_source(auditor: tuple[Client, Person], new_client: NewClient) -> None:
    attacker = new_client()
    for number in range(15):
        problem(attacker.login(Person(new_email(f"nobody{number}")), "Winter2026!x"), "invalid_credentials")
    found = wait_for_detection(*auditor, "password_spraying", ip=attacker.address)
    assert found["about"]["ips"] == [attacker.address]
    assert len(found["about"]["subjects"]) == 15
    assert found["figures"]["accounts"] == 15


def test_stuffing_with_success_is_recognised(auditor: tuple[Client, Person], new_client: NewClient) -> None:
    attacker, victim = new_client(), new_client().create_person()
    for number in range(10):
        problem(
            attacker.login(Person(new_email(f"nobody{number}")), "stolen phrase 1"), "invalid_credentials"
        )
    expect(attacker.login(victim), 200)
    found = wait_for_detection(*auditor, "credential_stuffing", ip=attacker.address)
    assert found["severity"] == "high"
    assert found["figures"]["opened"] == 1


def test_reused_refresh_token_is_recognised(auditor: tuple[Client, Person], new_client: NewClient) -> None:
    client = new_client()
    person = client.create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    problem(new_client().refresh(stolen), "invalid_token")
    found = wait_for_detection(*auditor, "refresh_reuse", session=person.session_id)
    assert (found["count"], found["severity"], found["about"]["kind"]) == (1, "high", "session")


def test_partial_token_used_elsewhere_is_recognised(
    auditor: tuple[Client, Person], new_client: NewClient
) -> None:
    owner, thief = new_client(), new_client()
    person = owner.create_person()
    victim = user_id(owner, person)
    partial = expect(owner.login(person), 200)["partial_token"]
    problem(thief.verify(partial, "000000"), "invalid_code")
    found = wait_for_detection(*auditor, "partial_token_elsewhere", user=victim)
    assert found["about"]["ips"] == sorted([owner.address, thief.address])


def test_second_factor_guessing_is_recognised(auditor: tuple[Client, Person], new_client: NewClient) -> None:
    client = new_client()
    person = client.create_person()
    victim = user_id(client, person)
    for tries in (5, 1):
        partial = expect(client.login(person), 200)["partial_token"]
        for _ in range(tries):
            problem(client.verify(partial, "000000"), "invalid_code")
    found = wait_for_detection(*auditor, "second_factor_guessing", user=victim)
    assert (found["severity"], found["count"]) == ("high", 6)


def test_an_account_locked_from_three_sources_is_recognised(
    auditor: tuple[Client, Person], new_client: NewClient
) -> None:
    owner = new_client()
    person = owner.create_person()
    victim = user_id(owner, person)
    for attacker in (new_client(), new_client(), new_client()):
        for _ in range(5):
            attacker.login(person, "a wrong phrase 1")
    found = wait_for_detection(*auditor, "lockout_weapon", user=victim)
    assert found["figures"] == {"locks": 3, "sources": 3}


def test_the_login_that_enrols_after_a_reset_of_the_second_factor_is_recognised(
    auditor: tuple[Client, Person], new_client: NewClient, server: Server
) -> None:
    owner, elsewhere = new_client(), new_client()
    person = owner.create_person()
    victim = user_id(owner, person)
    server.manage("reset_mfa", person.email)
    partial = expect(elsewhere.login(person), 200)["partial_token"]
    elsewhere.enrol(person, partial, token=elsewhere.mailbox(person).wait_for_token())
    found = wait_for_detection(*auditor, "new_device_after_reset", user=victim)
    assert found["figures"]["resets"] == 1
    assert elsewhere.address in found["about"]["ips"]


def test_reading_and_noting_are_events_and_for_auditors_only(
    auditor: tuple[Client, Person], new_client: NewClient, server: Server
) -> None:
    client, reader = auditor
    person = new_client().create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    client.refresh(stolen)
    found = wait_for_detection(client, reader, "refresh_reuse", session=person.session_id)
    path = f"audit/detections/{found['id']}/"
    other = new_client().create_person()
    for answer in (
        client.get("audit/detections/", other.access),
        client.get(path, other.access),
        client.post(f"{path}acknowledge/", {"note": "mine"}, other.access),
    ):
        problem(answer, "permission_denied")
    note = f"a lost answer, asked {other.email}"
    noted = expect(client.post(f"{path}acknowledge/", {"note": note}, reader.access), 200)
    assert (noted["state"], noted["acknowledged"]["note"]) == ("acknowledged", note)
    assert noted["acknowledged"]["by"] == user_id(client, reader)
    assert found["id"] in [one["id"] for one in detections(client, reader, state="acknowledged")]
    events = client.get(
        "audit/events/", reader.access, params={"type": "detection.acknowledge", "q": other.email}
    )
    (event,) = expect(events, 200)["results"]
    assert event["details"] == {"detection": found["id"], "rule": "refresh_reuse", "note": note}
    read = [one for one in logged(server, type="audit.read") if one.user == user_id(client, reader)]
    assert "detections" in {one.details["view"] for one in read}


def test_a_second_note_hides_no_first(
    auditor: tuple[Client, Person], new_client: NewClient, look_in: LookIn
) -> None:
    client, reader = auditor
    colleague, person = new_client().create_person(role="auditor"), new_client().create_person()
    stolen = person.refresh
    expect(client.refresh(stolen), 200)
    client.refresh(stolen)
    found = wait_for_detection(client, reader, "refresh_reuse", session=person.session_id)
    path = f"audit/detections/{found['id']}/"
    assert expect(client.get(path, reader.access), 200)["notes"] == []
    first = expect(client.post(f"{path}acknowledge/", {"note": "I look into it"}, reader.access), 200)
    assert first["notes"] == [first["acknowledged"]]
    second = expect(client.post(f"{path}acknowledge/", {"note": "a lost answer"}, colleague.access), 200)
    assert second["notes"] == [first["acknowledged"], second["acknowledged"]]
    told = [(one["by"], one["note"]) for one in second["notes"]]
    assert told == [
        (user_id(client, reader), "I look into it"),
        (user_id(client, colleague), "a lost answer"),
    ]
    (listed,) = [one for one in detections(client, reader) if one["id"] == found["id"]]
    assert listed["acknowledged"]["note"] == "a lost answer"
    page = look_in(reader).open(f"/console/detections/{found['id']}/").text
    for by, note in told:
        assert f"{by[-8:]} ): {note}" in page
    assert page.index("I look into it") < page.index("a lost answer")


def test_refusals(auditor: tuple[Client, Person]) -> None:
    client, reader = auditor
    unknown = "audit/detections/00000000-0000-8000-8000-000000000000/"
    problem(client.get(unknown, reader.access), "not_found")
    problem(client.post(f"{unknown}acknowledge/", {"note": "x"}, reader.access), "not_found")
    problem(client.post(f"{unknown}acknowledge/", {}, reader.access), "validation_failed")
    for query in ({"rule": "x"}, {"limit": "0"}, {"cursor": "x"}, {"who": "x"}, {"order": "index"}):
        problem(client.get("audit/detections/", reader.access, params=query), "validation_failed")


def test_pages_lead_on_and_back(auditor: tuple[Client, Person], new_client: NewClient) -> None:
    client, reader = auditor
    for _ in range(2):
        person = new_client().create_person()
        stolen = person.refresh
        expect(client.refresh(stolen), 200)
        client.refresh(stolen)
        wait_for_detection(client, reader, "refresh_reuse", session=person.session_id)
    first = expect(client.get("audit/detections/", reader.access, params={"limit": "1"}), 200)
    second = expect(client.http.get(first["next"], headers=bearer(reader)), 200)
    assert second["results"][0]["id"] != first["results"][0]["id"]
    back = expect(client.http.get(second["previous"], headers=bearer(reader)), 200)
    assert [one["id"] for one in back["results"]] == [first["results"][0]["id"]]


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.access}"}
