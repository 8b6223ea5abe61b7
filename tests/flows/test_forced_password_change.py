"""An account that must change its password: what its sessions open until then, and what ends it."""

import json
from collections.abc import Callable

import jwt
import pytest

from tests import passkeys
from tests.client import PASSWORD, Client, Person, code_of, expect
from tests.problems import problem
from tests.server import Server

NEW = "quite another phrase 77"


def must_change(client: Client, person: Person) -> None:
    done = client.server.manage("require_password_change", person.email, "--reason", "seen on a note")
    assert done.stdout == f"{person.email} must change the password\n"


def change(client: Client, person: Person, new: str = NEW) -> None:
    body = {"current_password": person.password, "new_password": new}
    expect(client.post("password/change/", body, person.access), 204)
    person.password = new


def claims(access: str) -> dict[str, object]:
    return dict(jwt.decode(access, options={"verify_signature": False}))


def test_session_opens_the_change_and_little_else_until_it_is_done(client: Client) -> None:
    person = client.create_person(role="auditor")
    full = person.access
    must_change(client, person)
    for method, path in (
        *(("GET", path) for path in ("sessions/", "devices/", "mfa/", "me/activity/", "audit/events/")),
        *(("POST", path) for path in ("mfa/totp/", "mfa/recovery-codes/")),
        ("DELETE", "sessions/"),
    ):
        problem(client.request(method, path, full), "password_change_required")
    assert expect(client.me(full), 200)["password_change_required"] is True
    problem(client.post("token/verify/", {"token": full}), "invalid_token")
    pair = expect(client.refresh(person.refresh), 200)
    assert pair["password_change_required"] is True
    person.keep(pair)
    body = {"method": "recovery_code", "code": person.recovery_codes.pop()}
    person.access = expect(client.post("reauthenticate/", body, person.access), 200)["access"]
    change(client, person)
    for access in (full, person.access):
        expect(client.get("audit/events/", access), 200)
    assert expect(client.me(person.access), 200)["password_change_required"] is False
    pair = expect(client.refresh(person.refresh), 200)
    assert "password_change_required" not in pair
    expect(client.post("token/verify/", {"token": pair["access"]}), 200)


def test_a_passkey_makes_the_session_fresh_for_the_change(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    must_change(client, person)
    old = "UPDATE secure_auth_session SET auth_time = '2020-01-01 00:00:00' WHERE id = %s"
    client.server.rows(old, [person.session_id])
    person.keep(expect(client.refresh(person.refresh), 200))
    body = {"current_password": person.password, "new_password": NEW}
    problem(client.post("password/change/", body, person.access), "reauthentication_required")
    passkeys.step_up(client, person, passkey)
    change(client, person)


def test_login_takes_both_steps_and_says_what_is_due(client: Client) -> None:
    person = client.create_person()
    must_change(client, person)
    partial = expect(client.login(person), 200)["partial_token"]
    pair = expect(client.verify(partial, person.recovery_codes[0], "recovery_code"), 200)
    assert pair["password_change_required"] is True
    person.keep(pair)
    problem(client.get("sessions/", person.access), "password_change_required")
    change(client, person)
    expect(client.get("sessions/", person.access), 200)


def test_first_enrolment_is_no_way_around(client: Client) -> None:
    person = client.sign_up()
    other = Person(f"other-{person.email}")
    client.server.create_user(other.email, other.password)
    must_change(client, other)
    client.sign_in(other)
    problem(client.get("mfa/", other.access), "password_change_required")


def test_other_services_get_no_token_that_they_would_take(client: Client) -> None:
    person = client.create_person(role="auditor")
    must_change(client, person)
    made = json.loads(client.server.manage("create_client", f"shop of {person.email}").stdout)
    basic = (made["client_id"], made["client_secret"])
    asked = client.post("token/introspect/", {"token": person.access}, auth=basic)
    assert expect(asked, 200) == {"active": False}
    person.keep(expect(client.refresh(person.refresh), 200))
    told = claims(person.access)
    assert (told["aud"], told["roles"]) == ("urn:secure-auth:password-change", [])
    change(client, person)
    person.keep(expect(client.refresh(person.refresh), 200))
    told = claims(person.access)
    assert (told["aud"], told["roles"]) == (client.server.origin, ["auditor"])
    asked = client.post("token/introspect/", {"token": person.access}, auth=basic)
    assert expect(asked, 200)["active"]


def test_the_present_password_is_no_change(client: Client) -> None:
    person = client.create_person()
    must_change(client, person)
    client.sign_in(person)
    same = {"current_password": PASSWORD, "new_password": PASSWORD}
    told = problem(client.post("password/change/", same, person.access), "validation_failed")
    assert [fault["code"] for fault in told["errors"]["new_password"]] == ["unchanged"]
    problem(client.get("mfa/", person.access), "password_change_required")


def reset(client: Client, person: Person, new: str) -> None:
    seen = len(client.mailbox(person).tokens())
    expect(client.post("password/reset/", {"email": person.email}), 202)
    token = client.mailbox(person).wait_for_token(after=seen)
    expect(client.post("password/reset/confirm/", {"token": token, "new_password": new}), 204)


def test_a_reset_ends_it_unless_it_sets_the_same_password(client: Client) -> None:
    person = client.create_person()
    must_change(client, person)
    reset(client, person, PASSWORD)
    pair = client.recover(person)
    assert pair["password_change_required"] is True
    reset(client, person, NEW)
    person.password = NEW
    pair = client.recover(person)
    assert "password_change_required" not in pair


def test_owner_is_told_and_the_log_says_who_and_why(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client, chief = new_client(), new_client()
    person, admin = client.create_person(), chief.create_person(role="admin")
    user = expect(client.me(person.access), 200)["id"]
    path, reason = f"admin/users/{user}/require-password-change/", {"reason": "wrote it on the wall"}
    expect(chief.post(path, reason, admin.access), 204)
    again = problem(chief.post(path, reason, admin.access), "validation_failed")
    assert "must be changed already" in again["detail"]
    client.mailbox(person).wait_for_subject("Change your password")
    query = f"audit/events/?type=password.require_change&user={user}"
    refused, done = expect(chief.get(query, admin.access), 200)["results"]
    assert (refused["outcome"], done["outcome"], done["reason"]) == ("failure", "success", "by_admin")
    assert done["details"]["note"] == "wrote it on the wall"
    assert done["details"]["actor"] == expect(chief.me(admin.access), 200)["id"]


def test_command_refuses_who_is_unknown_or_flagged_already(client: Client) -> None:
    person = client.create_person()
    must_change(client, person)
    for email, said in ((person.email, "must be changed already"), ("nobody@example.org", "no account")):
        done = client.server.manage("require_password_change", email, check=False)
        assert done.returncode
        assert said in done.stderr


def test_a_login_under_way_when_it_is_required_dies(client: Client) -> None:
    person = client.create_person()
    partial = expect(client.login(person), 200)["partial_token"]
    must_change(client, person)
    assert code_of(client.verify(partial, person.recovery_codes[0], "recovery_code")) == "invalid_token"


@pytest.mark.parametrize("action", ["logout/"])
def test_leaving_is_always_open(client: Client, action: str) -> None:
    person = client.create_person()
    must_change(client, person)
    expect(client.post(action, None, person.access), 204)
