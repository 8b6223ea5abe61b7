"""The main job, as a stranger's program would do it: register, confirm, enrol, sign in, refresh, sign out."""

from collections.abc import Callable

from tests.client import Client, Person, code_of, expect, new_email
from tests.server import Server


def test_person_registers_confirms_enrols_and_is_signed_in(client: Client) -> None:
    person = client.sign_up()
    assert len(person.recovery_codes) == 10
    me = expect(client.me(person.access), 200)
    assert (me["email"], me["roles"]) == (person.email, [])


def test_person_signs_in_again_with_password_and_code(client: Client) -> None:
    person = client.create_person()
    answer = expect(client.login(person), 200)
    assert answer["next"] == "verify"
    pair = expect(client.verify(answer["partial_token"], person.code()), 200)
    assert pair["token_type"] == "Bearer"
    assert pair["session_id"] != person.session_id


def test_refresh_gives_a_new_pair_of_the_same_session(client: Client) -> None:
    person = client.create_person()
    pair = expect(client.refresh(person.refresh), 200)
    assert pair["session_id"] == person.session_id
    assert pair["refresh"] != person.refresh
    expect(client.me(pair["access"]), 200)


def test_password_alone_opens_nothing(client: Client) -> None:
    person = client.create_person()
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.me(partial)) == "invalid_token"


def test_two_clients_have_two_addresses(server: Server, new_client: Callable[..., Client]) -> None:
    person = Person(new_email("auditor"))
    server.create_user(person.email, person.password, role="auditor")
    auditor, other = new_client(), new_client()
    auditor.sign_in(person)
    assert code_of(other.login(Person(new_email()))) == "invalid_credentials"
    events = expect(auditor.get(f"audit/events/?ip={other.address}", person.access), 200)
    assert [event["type"] for event in events["results"]] == ["login.password"]
