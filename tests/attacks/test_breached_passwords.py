"""Somebody tries passwords that other services lost; somebody else stands between this service and the list of them.

Attacker: has the lists; or answers for the range API, with nonsense. Refusal: a password known from a breach is not
taken at any door where one is set, and who signs in with one must change it; an API that is away keeps nobody from
anything, and learns five digits of a hash, of known and unknown addresses alike.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.problems import problem
from tests.ranges import Ranges, digest_of, running_ranges, write_ordered
from tests.server import Server, running_server

pytestmark = pytest.mark.xdist_group("sqlite")
BREACHED = "nine green lamps in the hall"
LATE = "a phrase that leaks one day"


def faults(answer: object, name: str) -> list[str]:
    return [fault["code"] for fault in problem(answer, "validation_failed")["errors"][name]]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A service with an ordered file."""
    directory = tmp_path_factory.mktemp("listed")
    path = write_ordered(directory / "breached.txt", [BREACHED])
    with running_server("sqlite", directory, environment={"BREACHED_PASSWORDS": str(path)}) as running:
        yield running, path


@pytest.fixture(scope="module")
def ranges() -> Iterator[Ranges]:
    with running_ranges() as running:
        running.known.add(BREACHED)
        yield running


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, ranges: Ranges) -> Iterator[Server]:
    """A service that asks a range API; one worker, which notices a failure for all."""
    environment = {"BREACHED_PASSWORDS": "api", "BREACHED_PASSWORDS_URL": ranges.url, "SERVER_WORKERS": "1"}
    with running_server("sqlite", tmp_path_factory.mktemp("asking"), environment=environment) as running:
        yield running


def test_no_door_takes_a_breached_password(listed: tuple[Server, Path], visit: Callable[..., Client]) -> None:
    server, client = listed[0], visit(listed[0])
    assert faults(client.register(Person(new_email(), BREACHED)), "password") == ["breached"]
    person = client.create_person()
    assert faults(client.register(Person(person.email, BREACHED)), "password") == ["breached"]
    body = {"current_password": PASSWORD, "new_password": BREACHED}
    assert faults(client.post("password/change/", body, person.access), "new_password") == ["breached"]
    expect(client.post("password/reset/", {"email": person.email}), 202)
    reset = {"token": client.mailbox(person).wait_for_token(), "new_password": BREACHED}
    assert faults(client.post("password/reset/confirm/", reset), "new_password") == ["breached"]
    told = expect(client.post("password/strength/", {"password": BREACHED}), 200)
    assert [fault["code"] for fault in told["faults"]] == ["breached"]
    done = server.manage("create_user", new_email(), stdin=BREACHED + "\n", check=False)
    assert done.returncode
    assert "breach" in done.stderr


def test_who_signs_in_with_a_breached_password_must_change_it_and_is_told_once(
    listed: tuple[Server, Path], visit: Callable[..., Client]
) -> None:
    server, path = listed
    client, person = visit(server), Person(new_email(), LATE)
    server.create_user(person.email, LATE)
    client.sign_in(person)
    assert expect(client.me(person.access), 200)["password_change_required"] is False
    write_ordered(path.with_name("next.txt"), [BREACHED, LATE]).replace(path)
    assert code_of(client.login(person, "not this one")) == "invalid_credentials"
    for _ in range(2):
        pair = client.recover(person)
        assert pair["password_change_required"] is True
    problem(client.get("mfa/", pair["access"]), "password_change_required")
    client.mailbox(person).wait_for_subject("Change your password")
    query = "SELECT reason FROM audit_event WHERE type = 'password.require_change'"
    assert server.rows(query) == [("breached_password",)]
    body = {"current_password": LATE, "new_password": PASSWORD}
    expect(client.post("password/change/", body, pair["access"]), 204)
    expect(client.get("mfa/", pair["access"]), 200)
    assert len(client.mailbox(person).wait_for_subject("Change your password")) == 1


def test_range_api_is_asked_alike_for_known_and_unknown_addresses(
    asking: Server, ranges: Ranges, visit: Callable[..., Client]
) -> None:
    client = visit(asking)
    known = Person(new_email(), BREACHED)
    asking.manage("create_user", known.email, stdin=PASSWORD + "\n")
    del ranges.asked[:]
    for person in (known, Person(new_email(), BREACHED)):
        assert faults(client.register(person), "password") == ["breached"]
    for person in (Person(known.email), Person(new_email())):
        expect(client.register(person), 202)
    wanted = [f"/range/{digest_of(password)[:5]}" for password in (BREACHED, BREACHED, PASSWORD, PASSWORD)]
    assert ranges.asked == [(path, "true") for path in wanted]
    del ranges.asked[:]
    partial = expect(client.login(known, PASSWORD), 200)["partial_token"]
    assert partial
    assert ranges.asked == [], "a login waits for nobody"
    assert "/range/" not in asking.logs(), "a part of the password's hash, beside whose it is"


def test_an_api_that_talks_nonsense_keeps_nobody_from_a_password(
    asking: Server, ranges: Ranges, visit: Callable[..., Client]
) -> None:
    client, ranges.mood = visit(asking), "garbage"
    try:
        expect(client.register(Person(new_email(), BREACHED)), 202)
    finally:
        ranges.mood = "well"
    told = '"breached_passwords.unavailable"'
    assert told in asking.logs(told)
    assert BREACHED not in asking.logs()
    assert digest_of(BREACHED) not in asking.logs()
