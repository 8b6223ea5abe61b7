"""Small promises of the contract that one meets seldom."""

from collections.abc import Callable

import httpx

from tests.attacks.evidence import claims, events
from tests.client import Client, expect
from tests.passkeys import Passkey, add_passkey, bind, creation_options, step_up
from tests.problems import problem
from tests.redis_processes import wait_until
from tests.server import Server

MOST_PASSKEYS = 20


def test_logout_takes_no_fields(client: Client) -> None:
    person = client.create_person()
    problem(client.post("logout/", {"session": "x"}, person.access), "validation_failed")
    assert client.me(person.access).status_code == 200
    assert client.post("logout/", None, person.access).status_code == 204


def test_introspection_without_a_client_is_refused_whatever_it_asks(client: Client, server: Server) -> None:
    answer = client.post("token/introspect/", {})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert events(server, type="token.introspect", outcome="failure", reason="no_client")


def test_number_of_a_log_that_no_database_holds_is_an_unknown_address(client: Client) -> None:
    auditor = client.create_person(role="auditor")
    for number in (9223372036854775808, 10**30):
        problem(client.get(f"audit/log/{number}/checkpoint", auditor.access), "not_found")


def test_log_has_one_address(client: Client) -> None:
    """What is kept for ever under its number must not be kept under a second name."""
    auditor = client.create_person(role="auditor")
    assert client.get("audit/log/1/vkey", auditor.access).status_code == 200
    for number in ("01", "000000001", "0"):
        problem(client.get(f"audit/log/{number}/vkey", auditor.access), "not_found")


def test_weak_passwords_of_two_people_behind_one_address_are_two_events(client: Client) -> None:
    for person in (client.create_person(), client.create_person()):
        body = {"current_password": person.password, "new_password": "password1"}
        problem(client.post("password/change/", body, person.access), "validation_failed")
        told = expect(client.get("me/activity/", person.access), 200)["results"]
        assert [one for one in told if one["type"] == "password.change" and one["outcome"] == "failure"]


def test_change_of_a_password_names_the_session_that_asked(client: Client, server: Server) -> None:
    person = client.create_person()
    client.sign_in(person)
    for password in ("password1", "another fine horse 77"):
        body = {"current_password": person.password, "new_password": password}
        client.post("password/change/", body, person.access)
    told = [one for one in events(server, type="password.change") if one.session == person.session_id]
    assert [(one.outcome, one.reason) for one in told] == [("failure", "weak_password"), ("success", "")]


def test_lock_that_a_session_began_names_it(client: Client, server: Server) -> None:
    person = client.create_person()
    for _ in range(5):
        body = {"current_password": "a wrong phrase", "new_password": "another fine horse 77"}
        problem(client.post("password/change/", body, person.access), "invalid_credentials")
    assert [one for one in events(server, type="account.lock") if one.session == person.session_id]


def test_a_question_to_the_log_in_which_a_name_stands_twice_is_recorded(
    client: Client, server: Server
) -> None:
    auditor = client.create_person(role="auditor")
    for view in ("events", "export", "summary", "detections"):
        refused = client.get(f"audit/{view}/?since=2026-01-01&since=2026-01-02", auditor.access)
        problem(refused, "validation_failed")
    told = [one for one in events(server, type="audit.read") if one.session == auditor.session_id]
    assert [(one.reason, one.details["view"]) for one in told] == [
        ("invalid_input", view) for view in ("events", "export", "summary", "detections")
    ]


def test_one_session_reads_the_log_once_whatever_its_address(
    new_client: Callable[..., Client], server: Server
) -> None:
    auditor = new_client().create_person(role="auditor")
    for _ in range(3):
        client = new_client()
        client.get("audit/log/checkpoint", auditor.access)
        client.get("audit/events/?type=login.password", auditor.access)
    reads = [event for event in events(server, type="audit.read") if event.session == auditor.session_id]
    assert len(reads) == 2


def test_an_account_has_so_many_passkeys_and_no_more(client: Client) -> None:
    person = client.create_person()
    step_up(client, person, add_passkey(client, person))
    for _ in range(MOST_PASSKEYS - 1):
        add_passkey(client, person)
    credential = Passkey(client.server.origin).make(creation_options(client, person))
    problem(bind(client, person, credential), "too_many_authenticators")


def test_devices_of_a_deleted_account_are_not_recorded(client: Client, server: Server) -> None:
    """Erasure cannot reach what is recorded after it."""
    person = client.create_person()
    owner = claims(person.access)["sub"]
    partial = expect(client.login(person), 200)["partial_token"]
    body = {"current_password": person.password}
    assert client.delete("me/", person.access, json=body).status_code == 204
    # the account goes last: until then whoever shows its tokens is recorded
    wait_until(lambda: server.rows("SELECT 1 FROM secure_auth_user WHERE id = %s", [owner]) == [], 30)
    assert events(server, user=owner) == []
    refresh = {"refresh": person.refresh}
    problem(client.post("token/refresh/", refresh), "invalid_token")
    problem(client.post("token/refresh/", refresh, headers={"Idempotency-Key": "abc"}), "invalid_token")
    code = {"method": "totp", "code": "123456"}
    problem(client.post("login/verify/", code, partial), "invalid_token")
    assert client.post("token/revoke/", {"token": person.refresh}).status_code in (200, 401)
    assert events(server, user=owner) == []


def test_a_malformed_new_address_is_told_at_its_field(client: Client) -> None:
    person = client.create_person()
    body = {"current_password": person.password, "new_email": "bad"}
    refused = client.post("email/change/", body, person.access)
    problem(refused, "validation_failed")
    assert list(refused.json()["errors"]) == ["new_email"]


def test_a_token_that_is_too_long_is_a_bad_token(client: Client) -> None:
    for length in (4096, 4097):
        answer = client.me("a" * length)
        problem(answer, "invalid_token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        problem(client.refresh("a" * length), "invalid_token")
        problem(client.post("token/verify/", {"token": "a" * length}), "invalid_token")


def test_an_admin_who_would_reset_their_own_factors_is_recorded_as_such(
    client: Client, server: Server
) -> None:
    admin = client.create_person(role="admin")
    own = claims(admin.access)["sub"]
    path = f"admin/users/{own}/reset-mfa/"
    problem(client.post(path, {"reason": "x"}, admin.access), "permission_denied")
    assert [event.reason for event in events(server, type="mfa.reset", user=own)] == ["own_account"]


def test_tries_of_a_login_that_is_used_up_count_as_requests(client: Client) -> None:
    person = client.create_person()
    partial = expect(client.login(person), 200)["partial_token"]
    wrong = {"method": "totp", "code": "000000"}
    for _ in range(5):
        client.post("login/verify/", wrong, partial)
    left = [remaining(client.post("login/verify/", wrong, partial)) for _ in range(2)]
    assert left[0] - left[1] == 1


def remaining(answer: httpx.Response) -> int:
    """What RateLimit says is left of the source's requests."""
    problem(answer, "invalid_token")
    return int(answer.headers["RateLimit"].partition("r=")[2].partition(";")[0])
