"""The two steps over HTTP: what each answers, and what each refuses."""

from collections.abc import Callable

from tests.authenticator import text_of
from tests.client import PASSWORD, Client, Person, code_of, expect, new_email
from tests.problems import problem


def test_password_step_answers_a_partial_token_and_the_methods(client: Client) -> None:
    person = client.sign_up()
    answer = expect(client.login(person), 200)
    assert set(answer) == {"partial_token", "expires_in", "next", "methods"}
    assert (answer["next"], answer["methods"]) == ("verify", ["totp", "recovery_code"])
    assert answer["expires_in"] == 300


def test_second_step_answers_a_token_pair(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    response = client.verify(partial, person.code())
    pair = expect(response, 200)
    assert set(pair) == {"access", "refresh", "token_type", "expires_in", "refresh_expires_in", "session_id"}
    assert (pair["token_type"], pair["expires_in"], pair["refresh_expires_in"]) == ("Bearer", 300, 3600)
    assert "no-store" in response.headers["Cache-Control"]


def test_every_password_refusal_is_the_same(client: Client) -> None:
    person = client.sign_up()
    disabled, unconfirmed = client.sign_up(), Person(new_email())
    client.server.manage("disable", disabled.email)
    expect(client.register(unconfirmed), 202)
    answers = [
        client.login(person, "wrong-" + PASSWORD),
        client.login(Person(new_email())),
        client.login(disabled),
        client.login(unconfirmed),
        client.login(Person("not an address")),
    ]
    bodies = [problem(answer, "invalid_credentials") for answer in answers]
    for body in bodies:
        body.pop("request_id")
    assert all(body == bodies[0] for body in bodies)


def test_address_is_found_however_it_is_spelled(client: Client) -> None:
    person = client.sign_up()
    name, _, domain = person.email.partition("@")
    expect(client.login(Person(f"{name.upper()}@{domain.upper()}")), 200)


def test_wrong_code_is_refused_and_the_login_goes_on(client: Client) -> None:
    person = client.sign_up()
    assert person.authenticator
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(partial, person.authenticator.wrong_code())) == "invalid_code"
    assert code_of(client.verify(partial, "no code at all")) == "invalid_code"
    expect(client.verify(partial, person.code()), 200)


def test_code_and_partial_token_work_once(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    code = person.code()
    expect(client.verify(partial, code), 200)
    assert code_of(client.verify(partial, person.recovery_codes[0], "recovery_code")) == "invalid_token"
    second = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(second, code)) == "invalid_code"


def test_fifth_wrong_code_ends_the_login(client: Client) -> None:
    person = client.sign_up()
    assert person.authenticator
    partial = expect(client.login(person), 200)["partial_token"]
    for _ in range(5):
        assert code_of(client.verify(partial, person.authenticator.wrong_code())) == "invalid_code"
    assert code_of(client.verify(partial, person.recovery_codes[0], "recovery_code")) == "invalid_token"


def test_recovery_code_works_once_in_any_spelling(client: Client) -> None:
    person = client.sign_up()
    spelled = person.recovery_codes[0].lower().replace("-", " ")
    partial = expect(client.login(person), 200)["partial_token"]
    person.keep(expect(client.verify(partial, spelled, "recovery_code"), 200))
    assert expect(client.get("mfa/", person.access), 200)["recovery_codes_left"] == 9
    again = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(again, person.recovery_codes[0], "recovery_code")) == "invalid_code"


def test_partial_token_of_a_verify_login_does_not_enrol(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.post("mfa/totp/", {}, partial)) == "invalid_token"


def test_partial_token_of_an_enrolment_does_not_verify(
    client: Client, new_client: Callable[..., Client]
) -> None:
    person = Person(new_email())
    client.server.create_user(person.email, person.password)
    answer = expect(client.login(person), 200)
    assert (answer["next"], answer["methods"]) == ("enroll", [])
    assert code_of(client.verify(answer["partial_token"], "000000")) == "invalid_token"


def test_remembered_device_is_listed_and_forgotten(client: Client) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    assert person.device_token
    listed = expect(client.get("devices/", person.access), 200)
    assert set(listed) == {"results", "next", "previous"}
    (device,) = listed["results"]
    assert set(device) == {"id", "device", "user_agent", "created_at", "last_used_at", "expires_at"}
    assert person.device_token.startswith(device["id"])
    expect(client.delete(f"devices/{device['id']}/", person.access), 204)
    assert expect(client.get("devices/", person.access), 200)["results"] == []
    problem(client.delete(f"devices/{device['id']}/", person.access), "not_found")


def test_known_device_enters_while_its_address_is_locked(client: Client) -> None:
    person = client.sign_up()
    client.sign_in(person, remember_device=True)
    for _ in range(5):
        assert code_of(client.login(person, "wrong-" + PASSWORD, headers={})) == "invalid_credentials"
    locked = client.login(person, headers={})
    assert problem(locked, "temporarily_locked")
    assert 890 <= int(locked.headers["Retry-After"]) <= 900
    partial = expect(client.login(person), 200)["partial_token"]
    expect(client.verify(partial, person.recovery_codes[0], "recovery_code"), 200)


def test_registration_tells_nothing_of_known_addresses(client: Client) -> None:
    person = client.sign_up()
    known, unknown = client.register(person), client.register(Person(new_email()))
    assert (
        (known.status_code, known.json())
        == (unknown.status_code, unknown.json())
        == (202, {"status": "accepted"})
    )
    notice = client.mailbox(person).wait_for(3)[-1]
    assert "already have an account" in str(notice["Subject"])
    assert text_of(notice).count("#token=") == text_of(notice).count("/reset/#token=") == 1


def test_confirmation_needs_the_password_and_its_link_works_once(client: Client) -> None:
    person = Person(new_email())
    expect(client.register(person), 202)
    token = client.mailbox(person).wait_for_token()
    assert code_of(client.confirm(token, "wrong-" + PASSWORD)) == "invalid_credentials"
    assert expect(client.confirm(token, person.password), 200)["next"] == "enroll"
    assert code_of(client.confirm(token, person.password)) == "invalid_link"
    assert code_of(client.confirm("nothing", person.password)) == "invalid_link"


def test_each_registration_of_an_address_needs_its_own_password(
    client: Client, new_client: Callable[..., Client]
) -> None:
    person = Person(new_email())
    planter = Person(person.email, "a password of somebody else 9")
    expect(new_client().register(planter), 202)
    planted = client.mailbox(person).wait_for_token()
    expect(client.register(person), 202)
    own = client.mailbox(person).wait_for_token(after=1)
    assert code_of(client.confirm(planted, person.password)) == "invalid_credentials"
    expect(client.confirm(own, person.password), 200)
    assert code_of(client.confirm(planted, planter.password)) == "invalid_link"
    assert code_of(client.login(planter)) == "invalid_credentials"
