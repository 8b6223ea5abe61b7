"""`manage.py limits show`: how the limits stand for an account or a source, and nothing else happens."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.client import Client, Person, expect, new_email
from tests.conftest import new_address, new_address_v6
from tests.problems import problem
from tests.server import ROOT, Server

WRONG = "a wrong password 1"


def shown(server: Server, target: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What `--json` prints, by limit and key."""
    done = server.manage("limits", "show", target, "--json")
    assert not done.stderr
    return {(one["limit"], one["key"]): one for one in json.loads(done.stdout)["results"]}


def test_account_without_locks_and_with(server: Server, new_client: Callable[..., Client]) -> None:
    here, there = new_client(), new_client()
    person = here.sign_up()
    here.login(person, WRONG)
    for _ in range(5):
        there.login(person, WRONG)
    problem(there.login(person), "temporarily_locked")
    partial = expect(here.login(person), 200)["partial_token"]
    problem(here.verify(partial, "000000"), "invalid_code")
    found = shown(server, person.email.upper())
    assert found["password_account", ""]["used"] == 6
    assert found["totp_account", ""]["used"] == found["totp_consecutive", ""]["used"] == 1
    assert found["mail_address", ""] == {
        "limit": "mail_address", "kind": "address", "key": "", "used": 1, "allowed": 3, "in_flight": 0,
        "locked_until": None, "level": 0,
    }  # fmt: skip
    open_, locked = (found["password_account_source", one.address] for one in (here, there))
    assert (open_["used"], open_["allowed"], open_["level"], open_["locked_until"]) == (1, 5, 0, None)
    assert (locked["used"], locked["level"]) == (5, 1)
    assert locked["locked_until"].endswith("Z")
    assert {one["kind"] for name, one in found.items() if name[0] == "second_factor_login"} == {"login"}


def test_lanes_of_known_devices_and_sessions(server: Server, client: Client) -> None:
    person = client.create_person()
    client.sign_in(person, remember_device=True)
    assert person.device_token
    for _ in range(2):
        client.login(person, WRONG)
    client.refresh(person.refresh)
    found = shown(server, person.email)
    device = person.device_token.partition(".")[0]
    assert (found["password_device", device]["used"], found["password_device", device]["allowed"]) == (2, 5)
    assert found["password_device_attempts", ""]["used"] >= 2
    assert found["refresh", person.session_id]["used"] == 1
    assert not [name for name in found if name[0] == "password_account_source"]
    text = server.manage("limits", "show", person.email).stdout
    for secret in (person.device_token, person.access, person.refresh, person.email):
        assert secret not in text


def test_address_without_an_account(server: Server, client: Client) -> None:
    person = Person(new_email())
    for _ in range(5):
        client.login(person, WRONG)
    assert shown(server, person.email)["password_account_source", client.address]["locked_until"]


def test_registration_that_is_to_be_confirmed(server: Server, client: Client) -> None:
    person = Person(new_email())
    expect(client.register(person), 202)
    token = client.mailbox(person).wait_for_token()
    for _ in range(5):
        client.confirm(token, WRONG)
    problem(client.confirm(token, person.password), "temporarily_locked")
    ((begun,),) = server.rows("SELECT id FROM secure_auth_registration WHERE email = %s", [person.email])
    found = shown(server, person.email)
    assert found["password_account", f"registration {begun}"]["used"] == 5
    assert found["password_account_source", f"registration {begun} {client.address}"]["locked_until"]


@pytest.mark.parametrize("make", [new_address, new_address_v6])
def test_source(server: Server, new_client: Callable[..., Client], make: Callable[[], str]) -> None:
    client = new_client(make())
    for _ in range(2):
        client.login(Person(new_email()), WRONG)
    client.get("me/")
    found = {limit: one for (limit, _), one in shown(server, client.address).items()}
    key = client.address if "." in client.address else client.address.removesuffix("1") + "/64"
    assert {limit: one["used"] for limit, one in found.items() if one["key"] == key} == {
        "password_source": 2, "spraying": 2, "requests": 1,
    }  # fmt: skip
    if ":" in client.address:
        wide = found["password_source_wide"]
        assert (wide["used"], wide["kind"]) == (2, "source_wide")
        assert wide["key"].endswith("/48")


def test_plain_text_is_aligned_and_a_terminal_gets_a_table(server: Server, client: Client) -> None:
    person = Person(new_email())
    for _ in range(5):
        client.login(person, WRONG)
    lines = server.manage("limits", "show", person.email).stdout.splitlines()
    assert lines[0].split("  ")[0] == "limit"
    assert {line[lines[0].index("used") :].split(" ")[0] for line in lines[1:]} == {"5/5", "5/100"}
    main, side = pty.openpty()
    command = [sys.executable, "manage.py", "limits", "show", person.email]
    environment = {**server.environment, "COLUMNS": "140", "TERM": "xterm"}
    done = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=side, stderr=side)
    os.close(side)
    drawn = b""
    try:
        while part := os.read(main, 65536):
            drawn += part
    except OSError:  # Linux says so at the end
        pass
    assert done.wait(60) == 0
    os.close(main)
    assert "┃" in drawn.decode()
    assert "password_account_source" in drawn.decode()


def test_nothing_counted_is_said(server: Server) -> None:
    assert server.manage("limits", "show", new_email()).stdout == "nothing is counted\n"
    assert json.loads(server.manage("limits", "show", "192.0.2.77", "--json").stdout) == {"results": []}


@pytest.mark.parametrize(
    "target", ["nobody", "192.0.2", "a@b@c", "", "192.0.2.0/24", "192.0.2.1/64", "<script>"]
)
def test_anything_else_is_one_clear_line(server: Server, target: str) -> None:
    done = server.manage("limits", "show", target, check=False)
    assert done.returncode != 0
    assert done.stderr == "CommandError: this is neither an e-mail address nor an IP address\n"


def test_looking_is_no_event_and_changes_nothing(server: Server, client: Client) -> None:
    person = Person(new_email())
    client.login(person, WRONG)
    looks = (  # what the background worker closes and prunes meanwhile left out
        "SELECT count(*) FROM audit_event WHERE type <> 'log.collapsed'",
        f"SELECT owner, purpose, key, count(*) FROM throttling_bucket WHERE key = '{client.address}' GROUP BY 1, 2, 3",
        "SELECT count(*) FROM secure_auth_user",
    )
    before = [server.rows(look) for look in looks]
    for target in (person.email, client.address):
        server.manage("limits", "show", target)
        server.manage("limits", "show", target, "--json")
    assert [server.rows(look) for look in looks] == before


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_where_no_installation_is_none_is_made(server: Server, tmp_path: Any) -> None:
    for target in ("ada@example.org", "192.0.2.1"):
        directory = tmp_path / "none"
        done = server.manage("limits", "show", target, check=False, DATA_DIR=str(directory))
        assert done.returncode != 0
        assert done.stderr.count("\n") == 1
        assert done.stderr.startswith("CommandError: no installation is here")
        assert not directory.exists()


@pytest.mark.parametrize("server", ["postgres+redis"], indirect=True)
def test_redis_away_is_said_beside_what_the_database_has(server: Server, client: Client) -> None:
    client.login(Person(new_email()), WRONG)
    done = server.manage("limits", "show", client.address, "--json", REDIS_URL="redis://127.0.0.1:1/0")
    assert "Redis is away" in done.stderr
    assert {one["limit"] for one in json.loads(done.stdout)["results"]} == {"spraying"}
