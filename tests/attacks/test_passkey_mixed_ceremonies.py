"""A genuine answer of a passkey is carried to a door that it was not made for.

Attacker: can have a passkey answer some challenge: their own, of another session, of another purpose. Move: shows the
answer elsewhere. Refusal: a challenge belongs to one account, one pending login or session, and one purpose; at every
other door it is as unknown as an invented one, and nothing is changed.
"""

from collections.abc import Callable

from tests import passkeys
from tests.client import Client, code_of, expect
from tests.passkeys import Passkey, b64


def test_challenge_of_one_login_opens_no_other(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    mine, other = (expect(client.login(person), 200)["partial_token"] for _ in range(2))
    shown = passkey.show(passkeys.login_options(client, mine))
    assert code_of(passkeys.verify(client, other, shown)) == "invalid_code"
    expect(passkeys.verify(client, mine, shown), 200)  # it was not spent there


def test_challenge_of_login_is_none_of_step_up_and_the_other_way_round(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    of_login = passkey.show(passkeys.login_options(client, login))
    of_session = passkey.show(passkeys.reauthentication_options(client, person))
    assert code_of(passkeys.reauthenticate(client, person, of_login)) == "invalid_code"
    assert code_of(passkeys.verify(client, login, of_session)) == "invalid_code"
    expect(passkeys.reauthenticate(client, person, of_session), 200)
    expect(passkeys.verify(client, login, of_login), 200)


def test_challenge_of_another_session_binds_and_proves_nothing(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    passkeys.sign_in(client, person, passkey)
    first = person.access
    creation, request = (
        passkeys.creation_options(client, person),
        passkeys.reauthentication_options(client, person),
    )
    passkeys.sign_in(client, person, passkey)
    assert person.access != first
    made = Passkey(client.server.origin).make(creation)
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"
    assert code_of(passkeys.reauthenticate(client, person, passkey.show(request))) == "invalid_code"


def test_challenge_of_another_account_binds_and_opens_nothing(new_client: Callable[..., Client]) -> None:
    client = new_client()
    victim, thief = client.sign_up(), client.sign_up()
    own, theirs = passkeys.add_passkey(client, victim), passkeys.add_passkey(client, thief)
    login = expect(client.login(victim), 200)["partial_token"]
    thiefs = expect(client.login(thief), 200)["partial_token"]
    options = passkeys.login_options(client, login)
    for_thief = passkeys.login_options(client, thiefs)
    assert code_of(passkeys.verify(client, login, theirs.show(for_thief))) == "invalid_code"
    assert code_of(passkeys.verify(client, login, theirs.show(options))) == "invalid_code"
    expect(passkeys.verify(client, thiefs, theirs.show(for_thief)), 200)
    passkeys.sign_in(client, victim, own)
    passkeys.sign_in(client, thief, theirs)
    made = Passkey(client.server.origin).make(passkeys.creation_options(client, thief))
    assert code_of(passkeys.bind(client, victim, made)) == "validation_failed"
    expect(passkeys.bind(client, thief, made), 201)


def test_registration_is_no_login_and_a_login_no_registration(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    passkeys.sign_in(client, person, passkey)
    login = expect(client.login(person), 200)["partial_token"]
    options = passkeys.login_options(client, login)
    creation = passkeys.creation_options(client, person)
    # The passkey signs the challenge of a registration, and makes a credential for the challenge of a login.
    assert code_of(passkeys.verify(client, login, passkey.show(creation))) == "invalid_code"
    new = Passkey(client.server.origin)
    made = new.make({**options, "user": creation["user"]})
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"
    typed = passkey.show(options, type="webauthn.create")
    assert code_of(passkeys.verify(client, login, typed)) == "invalid_code"
    typed = new.make(creation, type="webauthn.get")
    assert code_of(passkeys.bind(client, person, typed)) == "validation_failed"
    kinds = [one["type"] for one in expect(client.get("mfa/", person.access), 200)["authenticators"]]
    assert kinds == ["totp", "webauthn"]


def test_invented_challenge_is_unknown(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    for challenge in (b64(bytes(32)), b64(b""), "", "x" * 5000, "\x00", "\ud800" * 43, b64(bytes(32)) + "="):
        shown = passkey.show({"challenge": challenge})
        assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
        login = expect(client.login(person), 200)["partial_token"]
