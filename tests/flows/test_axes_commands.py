"""django-axes' commands over a running service: they tell this service's locks and lift them, with an event."""

import re
from collections.abc import Callable

import pytest

from tests.attacks.evidence import Event, events
from tests.client import Client, Person, expect, new_email
from tests.problems import problem
from tests.server import Server

WRONG = "a wrong password 1"
TABLES = ("axes_accessattempt", "axes_accessfailurelog", "axes_accesslog")


@pytest.fixture
def person(client: Client) -> Person:
    return client.create_person()


def lock(client: Client, person: Person) -> None:
    for _ in range(5):
        client.login(person, WRONG)
    problem(client.login(person), "temporarily_locked")


def is_open(client: Client, person: Person) -> bool:
    return client.login(person).status_code == 200


def listed(server: Server) -> dict[tuple[str, str], list[str]]:
    """Lines of axes_list_attempts by source and account."""
    lines = [line.split("\t") for line in server.manage("axes_list_attempts").stdout.splitlines()]
    return {(ip, username): rest for ip, username, *rest in lines}


def unlocks(server: Server) -> list[Event]:
    return events(server, type="account.unlock")


def test_list_tells_what_counts(server: Server, client: Client, person: Person) -> None:
    lock(client, person)
    unknown = Person(new_email())
    client.login(unknown, WRONG)
    found = listed(server)
    failures, until = found[client.address, person.email]
    assert failures == "5"
    assert until.startswith("locked until ")
    assert found["", person.email] == ["5"]
    ((_, opaque),) = [key for key, rest in found.items() if key[0] == client.address and rest == ["1"]]
    assert re.fullmatch("[0-9a-f]{32}", opaque)
    assert unknown.email not in server.manage("axes_list_attempts").stdout


def test_reset_of_a_username(server: Server, client: Client, person: Person) -> None:
    lock(client, person)
    before = len(unlocks(server))
    done = server.manage("axes_reset_username", person.email, "--reason", "asked by phone")
    assert done.stdout.splitlines()[-1] == "2 attempts removed."
    assert is_open(client, person)
    (event,) = unlocks(server)[before:]
    me = expect(client.me(person.access), 200)
    assert (event.outcome, event.reason, event.user) == ("success", "by_command", me["id"])
    again = server.manage("axes_reset_username", new_email(), person.email)
    assert again.stdout.splitlines()[-1] == "No attempts found."
    assert len(unlocks(server)) == before + 3


def test_reset_of_an_unknown_account_by_the_id_that_the_list_tells(server: Server, client: Client) -> None:
    unknown = Person(new_email())
    lock(client, unknown)
    (opaque,) = [username for ip, username in listed(server) if ip == client.address]
    assert "2 attempts removed." in server.manage("axes_reset_username", opaque).stdout
    problem(client.login(unknown, WRONG), "invalid_credentials")


def test_reset_of_an_address(
    server: Server, client: Client, new_client: Callable[..., Client], person: Person
) -> None:
    elsewhere = new_client()
    lock(client, person)
    lock(elsewhere, person)
    assert "attempts removed." in server.manage("axes_reset_ip", client.address).stdout
    assert is_open(client, person)
    problem(elsewhere.login(person), "temporarily_locked")
    assert unlocks(server)[-1].user == ""


def test_reset_of_an_address_and_a_username(
    server: Server, client: Client, new_client: Callable[..., Client], person: Person
) -> None:
    elsewhere = new_client()
    lock(client, person)
    lock(elsewhere, person)
    done = server.manage("axes_reset_ip_username", client.address, person.email)
    assert done.stdout.splitlines()[-1] == "1 attempts removed."
    assert is_open(client, person)
    problem(elsewhere.login(person), "temporarily_locked")


def test_reset_of_an_ipv6_source_as_it_is_shown(
    server: Server, new_client: Callable[..., Client], person: Person
) -> None:
    elsewhere = new_client("2001:db8:1:2::3")
    lock(elsewhere, person)
    (shown,) = [ip for ip, username in listed(server) if username == person.email and ip]
    assert shown == "2001:db8:1:2::/64"
    assert f"password_source       source       {shown}" in server.manage("limits", "show", shown).stdout
    done = server.manage("axes_reset_ip_username", shown, person.email)
    assert done.stdout.splitlines()[-1] == "1 attempts removed."
    assert is_open(elsewhere, person)
    lock(elsewhere, person)
    assert "attempts removed." in server.manage("axes_reset_ip", shown).stdout
    assert is_open(elsewhere, person)


def test_reset_of_everything(server: Server, client: Client, person: Person) -> None:
    unknown = Person(new_email())
    for one in (person, unknown):
        lock(client, one)
    before = len(unlocks(server))
    assert "attempts removed." in server.manage("axes_reset").stdout
    assert listed(server) == {}
    assert is_open(client, person)
    assert len(unlocks(server)) == before + 1
    assert server.manage("axes_reset").stdout.splitlines()[-1] == "No attempts found."


@pytest.mark.parametrize("command", ["axes_reset_ip", "axes_reset_ip_username"])
def test_what_is_no_address_is_refused(server: Server, command: str) -> None:
    arguments = ["nonsense", *(["ada@example.org"] if command.endswith("username") else [])]
    before = len(unlocks(server))
    done = server.manage(command, *arguments, check=False)
    assert done.returncode != 0
    assert done.stderr == "CommandError: this is not an IP address\n"
    assert len(unlocks(server)) == before


def test_logs_of_axes_are_empty_and_so_are_its_tables(server: Server, client: Client, person: Person) -> None:
    lock(client, person)
    count = len(unlocks(server))
    for command in ("axes_reset_logs", "axes_reset_failure_logs"):
        assert server.manage(command, "--age", "0").stdout == "No logs found.\n"
    assert len(unlocks(server)) == count
    for table in TABLES:
        assert server.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    problem(client.login(person), "temporarily_locked")
