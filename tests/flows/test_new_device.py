"""The owner hears of a login from elsewhere, and sees in words what is signed in."""

import itertools
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest

from tests.authenticator import text_of
from tests.client import Client, Person, expect
from tests.server import Server

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
SUBJECT = "New sign-in to your account at "
HOSTILE = (
    "Mozilla/5.0 (Linux; Android 14; https://evil.example/#token=x Build/1) evil.example/1.0 Bcc:x@evil.example "
    "{{ to }} <a href=//evil.example>"
)
ELSEWHERE = "203.0.113.5"
NewClient = Callable[..., Client]
_networks = itertools.count()


@pytest.fixture
def at(new_client: NewClient) -> NewClient:
    """Makes clients with an address and a User-Agent."""

    def make(address: str, user_agent: str = FIREFOX.format(143)) -> Client:
        client = new_client(address)
        client.http.headers["User-Agent"] = user_agent
        return client

    return make


@pytest.fixture
def home() -> str:
    """The first three numbers of addresses that nobody else has used."""
    number = next(_networks)
    return f"10.{number // 256}.{number % 256}"


def told(server: Server, person: Person) -> int:
    """How many notices of new devices were written for somebody: rows of the login's own transaction."""
    query = """SELECT count(*) FROM secure_auth_outboxmessage WHERE template = 'new_device' AND "to" = %s"""
    return int(server.rows(query, [person.email])[0][0])


def notice(client: Client, person: Person) -> EmailMessage:
    return client.mailbox(person).wait_for_subject(SUBJECT)[0]


def opened(client: Client, person: Person) -> list[dict[str, Any]]:
    """Details of one's session.open events, newest first."""
    found = expect(client.get("me/activity/", person.access), 200)["results"]
    return [event["details"] for event in found if event["type"] == "session.open"]


def test_first_login_and_the_same_device_again_tell_nothing(server: Server, at: NewClient, home: str) -> None:
    client = at(f"{home}.10")
    person = client.sign_up()
    client.recover(person)
    at(f"{home}.200", FIREFOX.format(144)).recover(person)  # an update, and another address of the network
    assert told(server, person) == 0
    assert not any("new_device" in details for details in opened(client, person))


def test_another_device_is_told_once_and_in_words(server: Server, at: NewClient, home: str) -> None:
    person = at(f"{home}.10", "curl/8.5.0").sign_up()
    client = at(f"{home}.10")
    client.recover(person)
    client.recover(person)
    assert told(server, person) == 1
    assert [details.get("new_device") for details in opened(client, person)] == [None, True, None]
    mail = notice(client, person)
    text = text_of(mail)
    assert f"\n    Device:  Firefox 143 on Windows (as it calls itself)\n    Address: {home}.10\n" in text
    assert " UTC\n" in text
    assert "change your password" in text
    assert "://" not in text
    assert "#token" not in text


def test_a_copied_user_agent_in_another_network_is_told(server: Server, at: NewClient, home: str) -> None:
    person = at(f"{home}.1").sign_up()
    at(f"{home}.254").recover(person)
    assert told(server, person) == 0
    at(ELSEWHERE).recover(person)
    assert told(server, person) == 1


def test_a_known_device_travels_without_a_notice(server: Server, at: NewClient, home: str) -> None:
    client = at(f"{home}.10")
    person = client.sign_up()
    client.recover(person, remember_device=True)
    at(ELSEWHERE).recover(person)
    assert told(server, person) == 0


def test_what_was_not_seen_for_90_days_is_new_and_use_renews(
    server: Server, at: NewClient, home: str
) -> None:
    client = at(f"{home}.10")
    person = client.sign_up()
    own = "WHERE user_id = (SELECT id FROM secure_auth_user WHERE email = %s)"

    def let_90_days_pass() -> None:
        changed = f"UPDATE secure_auth_familiarsource SET seen_at = %s {own} RETURNING digest"
        server.rows(changed, ["2026-01-01 00:00:00+00:00", person.email])

    let_90_days_pass()
    for _ in range(2):
        client.recover(person)
        assert told(server, person) == 1
    counted = f"SELECT count(*) FROM secure_auth_familiarsource {own}"
    assert server.rows(counted, [person.email]) == [(1,)]
    let_90_days_pass()
    server.manage("shell", "--no-imports", "-c", "from secure_auth import worker; worker.prune()")
    assert server.rows(counted, [person.email]) == [(0,)]


def test_after_a_password_change_every_other_device_is_new(server: Server, at: NewClient, home: str) -> None:
    client, elsewhere = at(f"{home}.10"), at(ELSEWHERE)
    person = client.sign_up()
    elsewhere.recover(person)
    client.recover(person)
    assert told(server, person) == 1
    body = {"current_password": person.password, "new_password": "nineteen yellow submarines 7"}
    expect(client.post("password/change/", body, person.access), 204)
    person.password = body["new_password"]
    client.recover(person)
    assert told(server, person) == 1
    elsewhere.recover(person)
    assert told(server, person) == 2


def test_hostile_user_agent_puts_nothing_into_the_mail(server: Server, at: NewClient, home: str) -> None:
    person = at(f"{home}.10", "curl/8.5.0").sign_up()
    thief = at(f"{home}.10", HOSTILE)
    thief.recover(person)
    mail = notice(thief, person)
    names = {
        "Content-Type",
        "MIME-Version",
        "Subject",
        "From",
        "To",
        "Date",
        "Message-ID",
        "Auto-Submitted",
    }
    assert set(mail.keys()) == names
    text = text_of(mail)
    for trace in ("evil.example", "://", "@evil", "{{", "<", "#token", person.email):
        assert trace not in text
    listed = expect(thief.get("sessions/", person.access), 200)["results"][0]
    assert listed["user_agent"] == HOSTILE
    assert f"Device:  {listed['device']} (" in text


def test_sessions_and_devices_are_named_in_words(at: NewClient, home: str) -> None:
    client = at(f"{home}.10")
    person = client.sign_up()
    at(f"{home}.10", "curl/8.5.0").recover(person, remember_device=True)
    newest, first = expect(client.get("sessions/", person.access), 200)["results"]
    assert [newest["device"], first["device"]] == ["curl 8.5", "Firefox 143 on Windows"]
    assert (newest["current"], first["current"]) == (True, False)
    assert newest["ip"] == f"{home}.10"
    assert newest["created_at"] == newest["last_seen_at"]
    person.keep(expect(client.refresh(person.refresh), 200))
    refreshed = expect(client.get("sessions/", person.access), 200)["results"][0]
    assert refreshed["created_at"] == newest["created_at"] < refreshed["last_seen_at"]
    device = expect(client.get("devices/", person.access), 200)["results"][0]
    assert (device["device"], device["user_agent"]) == ("curl 8.5", "curl/8.5.0")
    assert device["created_at"] == device["last_used_at"]
