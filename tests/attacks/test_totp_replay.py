"""A shoulder surfer uses a TOTP code that was used already.

Attacker: knows the password and codes that the owner typed. Move: the same code again, at another door, or an earlier
one after a later one (A, B, A). Refusal: a time step is accepted once, and none before it ever after (RFC 6238 5.2).
"""

from collections.abc import Callable

from tests.attacks.evidence import claims, events
from tests.client import Client, Person, code_of, expect
from tests.server import Server


def partial_token(client: Client, person: Person) -> str:
    return str(expect(client.login(person), 200)["partial_token"])


def reauthenticate(client: Client, person: Person, code: str) -> str:
    answer = client.post("reauthenticate/", {"method": "totp", "code": code}, person.access)
    return "accepted" if answer.is_success else code_of(answer)


def last_code(person: Person) -> str:
    assert person.authenticator
    return person.authenticator.code_at(person.authenticator.last_step)


def test_code_of_the_enrolment_opens_no_login(client: Client) -> None:
    person = client.sign_up()
    assert code_of(client.verify(partial_token(client, person), last_code(person))) == "invalid_code"
    assert reauthenticate(client, person, last_code(person)) == "invalid_code"


def test_code_of_a_login_opens_no_other_login_nor_reauthentication(
    server: Server, new_client: Callable[..., Client]
) -> None:
    """The refusal is that of a wrong code; the log knows that this one was right, and read by somebody."""
    client = new_client()
    person = client.sign_up()
    code = person.code()
    expect(client.verify(partial_token(client, person), code), 200)
    assert code_of(new_client().verify(partial_token(client, person), code)) == "invalid_code"
    assert reauthenticate(client, person, code) == "invalid_code"
    refused = events(server, user=claims(person.access)["sub"], outcome="failure")
    assert [(one.type, one.reason) for one in refused] == [
        ("login.second_factor", "replayed_code"),
        ("session.reauthenticate", "replayed_code"),
    ]


def test_code_of_a_reauthentication_opens_no_login(client: Client) -> None:
    person = client.sign_up()
    code = person.code()
    assert reauthenticate(client, person, code) == "accepted"
    assert code_of(client.verify(partial_token(client, person), code)) == "invalid_code"
    assert reauthenticate(client, person, code) == "invalid_code"


def test_earlier_code_is_dead_after_a_later_one(client: Client) -> None:
    person = client.sign_up()
    earlier = last_code(person)
    later = person.code()
    assert reauthenticate(client, person, later) == "accepted"
    for code in (earlier, later, earlier):
        assert code_of(client.verify(partial_token(client, person), code)) == "invalid_code"


def test_unused_earlier_code_is_dead_after_a_later_one(client: Client) -> None:
    person = client.sign_up()
    assert person.authenticator
    person.authenticator.code()
    skipped = last_code(person)
    assert reauthenticate(client, person, person.code()) == "accepted"
    assert reauthenticate(client, person, skipped) == "invalid_code"


def test_code_of_one_authenticator_is_dead_though_another_was_not_used(client: Client) -> None:
    """Each has steps of its own; a code that was used with one is not tried again as one of the other."""
    person = client.sign_up()
    first = person.authenticator
    client.enrol(person, person.access)
    assert first
    code = first.code()
    expect(client.verify(partial_token(client, person), code), 200)
    assert code_of(client.verify(partial_token(client, person), code)) == "invalid_code"
    assert reauthenticate(client, person, code) == "invalid_code"
    assert code_of(client.verify(partial_token(client, person), last_code(person))) == "invalid_code"


def test_code_of_a_half_made_authenticator_opens_no_login(client: Client) -> None:
    """The holder of a session begins one and never confirms it."""
    person = client.sign_up()
    begun = expect(client.post("mfa/totp/", {}, person.access), 201)
    code = type(person.authenticator)(begun["secret"]).code()  # type: ignore[misc]
    assert code_of(client.verify(partial_token(client, person), code)) == "invalid_code"
    assert reauthenticate(client, person, code) == "invalid_code"
