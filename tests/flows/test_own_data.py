"""A copy of everything about oneself, and the end of one's account."""

import json
from collections.abc import Iterator

import pytest

from tests.client import Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.logs import head_of, is_proved, recomputed_root, wait_for_entries
from tests.redis_processes import wait_until
from tests.server import Server, running_server

OWNED = (
    "secure_auth_session",
    "secure_auth_pendinglogin",
    "secure_auth_knowndevice",
    "secure_auth_familiarsource",
    "secure_auth_mailtoken",
    "mfa_totpauthenticator",
    "mfa_recoverycode",
)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp(f"own-{request.param}")
    with running_server(request.param, directory) as server:
        yield server


@pytest.fixture
def client(service: Server) -> Iterator[Client]:
    client = Client(service, new_address())
    yield client
    client.close()


def leave(client: Client, person: Person) -> None:
    expect(client.delete("me/", person.access, json={"current_password": person.password}), 204)


def wait_until_erased(server: Server, user: str) -> None:
    wait_until(
        lambda: server.rows("SELECT count(*) FROM secure_auth_user WHERE id = %s", [user]) == [(0,)], 40
    )


def test_the_copy_has_everything_and_nothing_that_opens_the_account(service: Server, client: Client) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    client.login(person, "a wrong passphrase")
    answer = client.get("me/export/", person.access)
    copy = expect(answer, 200)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert copy["account"]["email"] == person.email
    assert len(copy["authenticators"]) == len(copy["devices"]) == 1
    assert len(copy["sessions"]) == 2
    assert copy["recovery_codes_left"] == 10
    assert copy["events_complete"]
    types = [event["type"] for event in copy["events"]]
    assert {"account.confirm", "session.open", "login.password", "account.export"} <= set(types)
    assert {event["user"] for event in copy["events"]} == {copy["account"]["id"]}
    assert person.authenticator
    for secret in (
        person.authenticator.secret, person.access, person.refresh, person.device_token, *person.recovery_codes,
    ):  # fmt: skip
        assert secret not in answer.text
    again = client.get("me/export/", person.access)
    assert (code_of(again), again.headers["Retry-After"] != "") == ("rate_limited", True)


def test_nothing_of_the_person_is_left_and_the_log_verifies(service: Server, client: Client) -> None:
    auditor = client.create_person(role="auditor")
    person = Person(new_email())
    client.login(person, "a wrong passphrase")  # before there was an account: a digest of the address is told
    client.sign_up(person)
    client.sign_in(person, remember_device=True)
    user = expect(client.me(person.access), 200)["id"]
    page = expect(client.get(f"audit/events/?user={user}&limit=100", auditor.access), 200)
    events = [one["id"] for one in page["results"]]
    leave(client, person)

    assert code_of(client.me(person.access)) == "invalid_token"
    assert code_of(client.refresh(person.refresh)) == "invalid_token"
    assert code_of(client.login(person)) == "invalid_credentials"
    for table in OWNED:
        assert service.rows(f"SELECT count(*) FROM {table} WHERE user_id = %s", [user]) == [(0,)], table
    assert service.rows("SELECT count(*) FROM secure_auth_user WHERE email = %s", [person.email]) == [(0,)]
    client.mailbox(person).wait_for_subject("Your account at")

    wait_until_erased(service, user)
    assert service.rows('SELECT count(*) FROM audit_personaldata WHERE "user" = %s', [user]) == [(0,)]
    assert expect(client.get(f"audit/events/?user={user}", auditor.access), 200)["results"] == []
    (erased, *_) = expect(client.get("audit/events/?type=audit.erase", auditor.access), 200)["results"]
    assert (erased["reason"], erased["user"], erased["source"]["ip"]) == ("by_user", "", "")
    (deleted,) = expect(client.get("audit/events/?type=account.delete&limit=1", auditor.access), 200)[
        "results"
    ]
    assert (deleted["outcome"], deleted["user"], deleted["source"]["ip"]) == ("success", "", "")
    wait_for_entries(service)
    assert recomputed_root(service) == head_of(service)
    assert service.manage("verify_log").stdout.splitlines()[-1].startswith("ok: ")
    for event in events:
        proof = expect(client.get(f"audit/events/{event}/proof/", auditor.access), 200)
        assert is_proved(proof)
        assert "user" in proof["erased"]
        assert user not in json.dumps(proof["event"] | {"details": {}})


def test_the_address_may_come_and_go_again_at_once(service: Server, client: Client) -> None:
    email, ids = new_email(), []
    for _ in range(3):
        visitor = Client(service, new_address())
        person = Person(email)
        service.create_user(email, person.password)
        visitor.sign_in(person)
        ids.append(expect(visitor.me(person.access), 200)["id"])
        leave(visitor, person)
        visitor.close()
    assert len(set(ids)) == 3
    for user in ids:
        wait_until_erased(service, user)


def test_no_admin_acts_on_an_account_that_was_deleted(service: Server, client: Client) -> None:
    """Enabled again, it would be passed over by its erasure for ever."""
    admin, person = client.create_person(role="admin"), client.create_person()
    user = expect(client.me(person.access), 200)["id"]
    leave(client, person)
    for action in ("enable", "unlock", "revoke-sessions", "reset-mfa", "require-password-change"):
        answer = client.post(f"admin/users/{user}/{action}/", {"reason": "a test"}, admin.access)
        assert code_of(answer) == "not_found", action
    assert user not in client.get("admin/users/", admin.access).text
    wait_until_erased(service, user)


def test_a_deletion_needs_the_password_and_a_fresh_factor(service: Server, client: Client) -> None:
    person = client.create_person()
    user = expect(client.me(person.access), 200)["id"]
    assert code_of(client.delete("me/", person.access)) in ("validation_failed", "unsupported_media_type")
    wrong = client.delete("me/", person.access, json={"current_password": "a wrong passphrase"})
    assert code_of(wrong) == "invalid_credentials"
    old = "2020-01-01 00:00:00"
    service.rows("UPDATE secure_auth_session SET auth_time = %s WHERE id = %s", [old, person.session_id])
    person.keep(expect(client.refresh(person.refresh), 200))
    body = {"current_password": person.password}
    assert code_of(client.delete("me/", person.access, json=body)) == "reauthentication_required"
    assert code_of(client.get("me/export/", person.access)) == "reauthentication_required"
    assert service.rows("SELECT count(*) FROM secure_auth_user WHERE id = %s", [user]) == [(1,)]
    expect(client.me(person.access), 200)


def test_the_last_admin_stays(service: Server, client: Client) -> None:
    service.rows("UPDATE secure_auth_user SET role = '' WHERE role = 'admin'")  # those of other tests
    admin, other = client.create_person(role="admin"), client.create_person(role="admin")
    leave(client, other)
    refused = client.delete("me/", admin.access, json={"current_password": admin.password})
    assert (code_of(refused), refused.json()["detail"]) == (
        "validation_failed",
        "The last admin cannot be deleted.",
    )
    expect(client.me(admin.access), 200)
