"""Authenticators, recovery codes, reauthentication and passwords of somebody who is signed in."""

import base64
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import jwt
import pytest

from tests.authenticator import Authenticator
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server, running_server

NEW_PASSWORD = "an entirely new passphrase 77"


def test_enrolment_answers_secret_uri_and_qr_code(client: Client) -> None:
    person = client.sign_up()
    begun = expect(client.post("mfa/totp/", {"name": "Tablet"}, person.access), 201)
    assert set(begun) == {"id", "secret", "otpauth_uri", "qr_svg"}
    assert len(base64.b32decode(begun["secret"])) == 20
    uri = urlsplit(begun["otpauth_uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert person.email in unquote(uri.path)
    assert parse_qs(uri.query)["secret"] == [begun["secret"]]
    assert begun["qr_svg"].startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "<script" not in begun["qr_svg"]


def test_second_authenticator_is_bound_listed_and_removed(client: Client) -> None:
    person = client.sign_up()
    begun = expect(client.post("mfa/totp/", {"name": "Tablet"}, person.access), 201)
    tablet = Authenticator(begun["secret"])
    path = f"mfa/totp/{begun['id']}/confirm/"
    assert code_of(client.post(path, {"code": tablet.wrong_code()}, person.access)) == "invalid_code"
    assert expect(client.post(path, {"code": tablet.code()}, person.access), 200) == {"recovery_codes": []}
    problem(client.post(path, {"code": tablet.code()}, person.access), "not_found")
    listed = expect(client.get("mfa/", person.access), 200)
    assert set(listed) == {"authenticators", "recovery_codes_left"}
    assert [row["name"] for row in listed["authenticators"]] == ["", "Tablet"]
    assert {row["type"] for row in listed["authenticators"]} == {"totp"}
    first = listed["authenticators"][0]["id"]
    expect(client.delete(f"mfa/{first}/", person.access), 204)
    problem(client.delete(f"mfa/{begun['id']}/", person.access), "last_authenticator")
    subjects = [str(mail["Subject"]) for mail in client.mailbox(person).wait_for(4)]
    assert sum("new authenticator" in subject for subject in subjects) == 2
    assert sum("removed" in subject for subject in subjects) == 1


def test_new_recovery_codes_kill_the_old_ones(client: Client) -> None:
    person = client.sign_up()
    new = expect(client.post("mfa/recovery-codes/", token=person.access), 200)["recovery_codes"]
    assert len(set(new)) == 10
    assert all(len(code.replace("-", "")) == 24 for code in new)
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(partial, person.recovery_codes[0], "recovery_code")) == "invalid_code"
    expect(client.verify(partial, new[0], "recovery_code"), 200)


def test_reauthentication_moves_auth_time_and_names_the_factor(client: Client) -> None:
    person = client.sign_up()
    before = jwt.decode(person.access, options={"verify_signature": False})
    body = {"method": "recovery_code", "code": person.recovery_codes[0]}
    answer = expect(client.post("reauthenticate/", body, person.access), 200)
    assert set(answer) == {"access", "token_type", "expires_in"}
    after = jwt.decode(answer["access"], options={"verify_signature": False})
    assert after["sid"] == before["sid"]
    assert after["auth_time"] >= before["auth_time"]
    assert "otp" in before["amr"]
    assert "otp" not in after["amr"]


def test_reauthentication_refuses_wrong_codes_and_passwords(client: Client) -> None:
    person = client.sign_up()
    assert person.authenticator
    wrong = {"method": "totp", "code": person.authenticator.wrong_code()}
    problem(client.post("reauthenticate/", wrong, person.access), "invalid_code")
    with_password = {"method": "totp", "code": person.code(), "password": "wrong-" + PASSWORD}
    problem(client.post("reauthenticate/", with_password, person.access), "invalid_credentials")
    expect(client.me(person.access), 200)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service where a login is fresh for three seconds."""
    directory = tmp_path_factory.mktemp("impatient")
    with running_server("sqlite", directory, environment={"REAUTHENTICATION_SECONDS": "3"}) as server:
        yield server


@pytest.mark.xdist_group("sqlite")
def test_stale_login_is_asked_for_its_factor_again(impatient: Server) -> None:
    client = Client(impatient, new_address())
    person = client.sign_up()
    time.sleep(4)
    for method, path, body in (
        ("POST", "mfa/totp/", {}),
        ("POST", "mfa/recovery-codes/", None),
        ("DELETE", "mfa/00000000-0000-7000-8000-000000000000/", None),
        ("POST", "password/change/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
    ):
        response = client.request(method, path, person.access, json=body)
        problem(response, "reauthentication_required")
        challenge = response.headers["WWW-Authenticate"]
        assert challenge == 'Bearer error="insufficient_user_authentication", max_age=3'
    expect(client.me(person.access), 200)
    body = {"method": "recovery_code", "code": person.recovery_codes[0]}
    fresh = expect(client.post("reauthenticate/", body, person.access), 200)["access"]
    expect(client.post("mfa/totp/", {}, fresh), 201)
    client.close()


def test_changed_password_ends_all_other_sessions(client: Client) -> None:
    person = client.sign_up()
    old = person.access
    client.sign_in(person)
    pending = expect(client.login(person), 200)["partial_token"]
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    expect(client.post("password/change/", body, person.access), 204)
    expect(client.me(person.access), 200)
    problem(client.me(old), "invalid_token")
    problem(client.verify(pending, person.recovery_codes[0], "recovery_code"), "invalid_token")
    problem(client.login(person), "invalid_credentials")
    expect(client.login(person, NEW_PASSWORD), 200)


def test_password_change_refuses_wrong_and_weak_passwords(client: Client) -> None:
    person = client.sign_up()
    wrong = {"current_password": "wrong-" + PASSWORD, "new_password": NEW_PASSWORD}
    problem(client.post("password/change/", wrong, person.access), "invalid_credentials")
    for weak, code in (("short", "too_short"), ("x1" * 65, "too_long"), ("password123", "too_common")):
        body = {"current_password": PASSWORD, "new_password": weak}
        errors = problem(client.post("password/change/", body, person.access), "validation_failed")["errors"]
        assert [fault["code"] for fault in errors["new_password"]] == [code]
    expect(client.login(person), 200)


@pytest.mark.parametrize(
    ("door", "body", "kind"),
    [
        ("POST password/change/", {"new_password": NEW_PASSWORD}, "password.change"),
        ("POST email/change/", {"new_email": "elsewhere@example.org"}, "address.request"),
        ("DELETE me/", {}, "account.delete"),
    ],
)
def test_wrong_current_password_is_told_as_what_it_was_typed_for(
    client: Client, door: str, body: dict[str, str], kind: str
) -> None:
    person = client.sign_up()
    method, path = door.split()
    wrong = {**body, "current_password": "wrong-" + PASSWORD}
    problem(client.request(method, path, person.access, json=wrong), "invalid_credentials")
    told = expect(client.get("me/activity/?limit=1", person.access), 200)["results"][0]
    assert (told["type"], told["outcome"], told["session"]) == (kind, "failure", person.session_id)
    assert (told["reason"], told["severity"]) == ("wrong_password", "medium")


def test_reset_replaces_the_password_and_nothing_else(
    client: Client, new_client: Callable[..., Client]
) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    elsewhere = new_client()
    response = elsewhere.post("password/reset/", {"email": person.email})
    token = client.mailbox(person).wait_for_token(after=1)
    body = {"token": token, "new_password": "short"}
    problem(elsewhere.post("password/reset/confirm/", body), "validation_failed")
    body["new_password"] = NEW_PASSWORD
    done = elsewhere.post("password/reset/confirm/", body)
    assert (response.status_code, done.status_code, done.content) == (202, 204, b"")
    problem(elsewhere.post("password/reset/confirm/", body), "invalid_link")
    problem(client.me(person.access), "invalid_token")
    problem(client.login(person), "invalid_credentials")
    person.password = NEW_PASSWORD
    answer = expect(client.login(person), 200)
    assert answer["next"] == "verify"
    pair = expect(client.verify(answer["partial_token"], person.recovery_codes[0], "recovery_code"), 200)
    assert expect(client.get("devices/", pair["access"]), 200)["results"] == []


def test_reset_tells_nothing_of_unknown_addresses(client: Client) -> None:
    stranger = Person(new_email())
    response = client.post("password/reset/", {"email": stranger.email})
    assert (response.status_code, response.json()) == (202, {"status": "accepted"})
    assert client.mailbox(stranger).messages() == []


def test_reset_link_does_not_confirm_and_the_other_way_round(client: Client) -> None:
    person = client.sign_up()
    expect(client.post("password/reset/", {"email": person.email}), 202)
    reset = client.mailbox(person).wait_for_token(after=1)
    problem(client.confirm(reset, PASSWORD), "invalid_link")
    newcomer = Person(new_email())
    expect(client.register(newcomer), 202)
    confirm = client.mailbox(newcomer).wait_for_token()
    body = {"token": confirm, "new_password": NEW_PASSWORD}
    problem(client.post("password/reset/confirm/", body), "invalid_link")


def test_lock_of_the_codes_names_what_opens_it_and_no_reset_of_the_password(client: Client) -> None:
    person = client.sign_up()
    assert person.authenticator
    for _ in range(2):
        partial = expect(client.login(person), 200)["partial_token"]
        for _ in range(5):
            client.verify(partial, person.authenticator.wrong_code())
    partial = expect(client.login(person), 200)["partial_token"]
    refused = client.verify(partial, person.code())
    assert code_of(refused) == "temporarily_locked"
    assert "recovery code" in refused.json()["detail"]
    assert "password" not in refused.json()["detail"]
    expect(client.verify(partial, person.recovery_codes[0], "recovery_code"), 200)
