"""`erase_user`: the account ends and the log forgets whom its events were about; every proof still verifies."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.dying import die_in
from tests.logs import head_of, is_proved, recomputed_root, wait_for_entries
from tests.server import Server, running_server

REASON = ("--reason", "asked for in writing")
ERASURES = (
    "SELECT id, details FROM audit_event WHERE type = 'audit.erase' AND outcome = 'success' ORDER BY id"
)
OWNED = (
    "secure_auth_session",
    "secure_auth_pendinglogin",
    "secure_auth_knowndevice",
    "secure_auth_familiarsource",
    "secure_auth_mailtoken",
    "mfa_totpauthenticator",
    "mfa_recoverycode",
)
# the files of PostgreSQL are its server's
on_sqlite = pytest.mark.parametrize("service", ["sqlite"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(request.param, tmp_path_factory.mktemp(f"erasure-{request.param}")) as server:
        yield server


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    client = Client(service, new_address())
    yield client
    client.close()


@pytest.fixture(scope="module")
def auditor(service: Server) -> Person:
    client = Client(service, new_address())
    person = client.create_person(role="auditor")
    client.close()
    return person


def lived(client: Client) -> tuple[Person, str]:
    """Somebody who registered by mail, has everything that an account can have, and failed before it existed."""
    person = Person(new_email())
    client.login(person, "a wrong passphrase")  # as an unknown account: the log has a digest of the address
    client.sign_up(person)
    client.sign_in(person, remember_device=True)
    client.login(person, "a wrong passphrase")
    client.post("password/reset/", {"email": person.email})
    return person, str(expect(client.me(person.access), 200)["id"])


def personal_rows(server: Server, user: str, subjects: list[str]) -> int:
    found = server.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user])[0][0]
    for subject in subjects:
        found += server.rows("SELECT count(*) FROM audit_personaldata WHERE subject = %s", [subject])[0][0]
    return int(found)


def subjects_of(server: Server, events: list[str]) -> list[str]:
    marks = ", ".join(["%s"] * len(events))
    sql = f"SELECT DISTINCT subject FROM audit_personaldata WHERE subject <> '' AND event IN ({marks})"
    return [row[0] for row in server.rows(sql, events)]


def erased_events(server: Server) -> list[tuple[str, list[str]]]:
    rows = server.rows(ERASURES)
    details = [row[1] if isinstance(row[1], dict) else json.loads(row[1]) for row in rows]
    return [(row[0], each["erased"]) for row, each in zip(rows, details, strict=True)]


def tallies_from(server: Server, address: str) -> list[str]:
    return [
        about
        for (about,) in server.rows("SELECT about FROM audit_tally ORDER BY id")
        if address in str(about)
    ]


def words_in_files(server: Server, *words: str) -> set[str]:
    """Those of the words that stand anywhere in the files of SQLite, in rows or between them."""
    files = b"".join(path.read_bytes() for path in server.data_dir.glob("secure_auth.sqlite3*"))
    return {word for word in words if word.encode() in files}


def typed_by(client: Client) -> Person:
    """An address without an account, of which the log tells."""
    typed = Person(new_email())
    client.login(typed, "a wrong passphrase")
    return typed


def test_nothing_of_the_person_is_left_and_proofs_still_verify(
    service: Server, client: Client, auditor: Person
) -> None:
    person, user = lived(client)
    page = expect(client.get(f"audit/events/?user={user}&limit=100", auditor.access), 200)
    events = [one["id"] for one in page["results"]]
    assert len(events) > 8
    wait_for_entries(service)

    said = service.manage("erase_user", person.email, *REASON).stdout
    assert said.startswith("erased: the account")

    assert service.rows("SELECT count(*) FROM secure_auth_user WHERE id = %s", [user]) == [(0,)]
    for table in OWNED:
        assert service.rows(f"SELECT count(*) FROM {table} WHERE user_id = %s", [user]) == [(0,)], table
    for table, column in (("secure_auth_registration", "email"), ("secure_auth_outboxmessage", '"to"')):
        sql = f"SELECT count(*) FROM {table} WHERE {column} = %s"
        assert service.rows(sql, [person.email]) == [(0,)], table
    assert service.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user]) == [(0,)]
    assert service.rows('SELECT count(*) FROM audit_tally WHERE "user" = %s', [user]) == [(0,)]

    assert expect(client.get(f"audit/events/?user={user}", auditor.access), 200)["results"] == []
    for word in (user, person.email):
        found = expect(client.get(f"audit/events/?q={word}&type=login.password", auditor.access), 200)
        assert found["results"] == []
    assert client.get("me/activity/", person.access).status_code == 401
    assert client.refresh(person.refresh).status_code == 401

    wait_for_entries(service)
    assert recomputed_root(service) == head_of(service)
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    for event in events:
        proof = expect(client.get(f"audit/events/{event}/proof/", auditor.access), 200)
        assert is_proved(proof)
        assert (proof["openings"], "user" in proof["erased"]) == ({}, True)
        assert user not in json.dumps(proof["event"] | {"details": {}})


def test_the_erasure_is_an_event_that_names_events_and_nobody(
    service: Server, client: Client, auditor: Person
) -> None:
    person, user = lived(client)
    page = expect(client.get(f"audit/events/?user={user}&limit=100", auditor.access), 200)
    known = {one["id"] for one in page["results"]}
    before = len(erased_events(service))
    service.manage("erase_user", person.email, *REASON)
    made = erased_events(service)[before:]
    assert known <= {event for _, erased in made for event in erased}
    for event, erased in made:
        shown: dict[str, Any] = expect(client.get(f"audit/events/{event}/", auditor.access), 200)
        assert (shown["user"], shown["subject"], shown["severity"]) == ("", "", "high")
        assert shown["details"]["events"] == len(erased) <= 1000
        assert shown["details"]["note"] == "asked for in writing"
        assert service.rows("SELECT count(*) FROM audit_entry WHERE event = %s", [event]) == [(1,)]


def test_the_same_address_is_a_stranger_afterwards(service: Server, client: Client) -> None:
    person, user = lived(client)
    service.manage("erase_user", person.email, *REASON)
    links = len(client.mailbox(person).tokens())
    again = Person(person.email)
    expect(client.register(again), 202)
    token = client.mailbox(again).wait_for_token(after=links)
    client.enrol(again, expect(client.confirm(token, again.password), 200)["partial_token"])
    assert expect(client.me(again.access), 200)["id"] != user


@pytest.mark.parametrize(
    "line",
    [
        "secure_auth.erasure._forget",  # the account is shut
        "secure_auth.covering.integrate",  # the events are written
        "audit.removal.drop_personal_data",  # they are entries
        "secure_auth.erasure._settle",  # the personal data is gone
        "audit.removal.forget_in_tallies",  # what was under way is over
    ],
)
def test_a_run_that_died_is_finished_by_the_next(service: Server, client: Client, line: str) -> None:
    person, user = lived(client)
    before = service.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user])[0][0]
    assert before > 8
    # a refusal opens a window that is counted for them
    assert client.get("audit/events/", person.access).status_code == 403
    die_in(service, line, "erase_user", person.email, *REASON)
    assert client.me(person.access).status_code == 401
    assert service.rows('SELECT 1 FROM audit_tally WHERE "user" = %s', [user])
    service.manage("erase_user", person.email, *REASON)
    assert service.rows('SELECT count(*) FROM audit_tally WHERE "user" = %s', [user]) == [(0,)]
    assert service.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user]) == [(0,)]
    assert service.rows("SELECT count(*) FROM secure_auth_user WHERE id = %s", [user]) == [(0,)]


def test_an_address_that_was_only_typed_can_be_erased(service: Server, client: Client) -> None:
    typed = typed_by(client)
    done = service.manage("erase_user", typed.email, *REASON).stdout
    assert "of 1 events" in done
    again = service.manage("erase_user", typed.email, *REASON, check=False)
    assert again.returncode
    assert "tells nothing of it" in again.stderr


def test_erasing_a_stranger_leaves_the_counts_of_others_alone(service: Server, client: Client) -> None:
    wrong = {"token": f"{'0' * 22}.{'0' * 43}", "new_password": "a brand new passphrase 6"}
    for _ in range(3):
        assert code_of(client.post("password/reset/confirm/", wrong)) == "invalid_link"
    typed = typed_by(client)
    counted = tallies_from(service, client.address)
    assert counted
    service.manage("erase_user", typed.email, *REASON)
    assert tallies_from(service, client.address) == counted


@on_sqlite
def test_no_file_of_the_database_holds_the_person_afterwards(service: Server, client: Client) -> None:
    client.http.headers["User-Agent"] = agent = f"Galosh/{new_email().partition('@')[0]}"
    person, user = lived(client)
    held = words_in_files(service, person.email, user, agent)
    assert held == {person.email, user, agent}
    service.manage("erase_user", person.email, *REASON)
    assert words_in_files(service, person.email, user, agent) == set()


@on_sqlite
def test_an_erasure_does_not_wait_for_a_reader_that_stays(service: Server, client: Client) -> None:
    person, user = lived(client)
    with contextlib.closing(sqlite3.connect(service.data_dir / "secure_auth.sqlite3")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM audit_event").fetchall()
        assert service.manage("erase_user", person.email, *REASON).stdout.startswith("erased: ")
        assert user in words_in_files(service, user)
    service.manage("erase_user", typed_by(client).email, *REASON)
    assert words_in_files(service, user) == set()


def test_the_last_admin_stays(service: Server, client: Client, auditor: Person) -> None:
    admin = client.create_person(role="admin")
    done = service.manage("erase_user", admin.email, *REASON, check=False)
    assert done.returncode
    assert "last admin" in done.stderr
    assert client.me(admin.access).status_code == 200
    page = expect(client.get("audit/events/?type=audit.erase&outcome=failure", auditor.access), 200)
    assert page["results"][0]["reason"] == "last_admin"
