"""Somebody with the password, or with a stolen session, sends wrong answers for a passkey.

Attacker: has no passkey. Move: wrong signatures without end. Refusal: a login dies with its fifth; they lock neither
the account's codes nor the owner's other sessions, at step-up they close that session's own door alone.
"""

from collections.abc import Callable

from tests import passkeys
from tests.client import Client, Person, code_of, expect
from tests.passkeys import Passkey


def forged(passkey: Passkey) -> Passkey:
    return Passkey(passkey.origin, credential_id=passkey.credential_id, user_handle=passkey.user_handle)


def test_five_wrong_answers_end_a_login_and_lock_nobody_out(new_client: Callable[..., Client]) -> None:
    client, elsewhere = new_client(), new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    wrong = forged(passkey)
    for _ in range(3):  # more than TOTP would take of the account
        login = expect(elsewhere.login(person), 200)["partial_token"]
        for _ in range(5):
            shown = wrong.show(passkeys.login_options(elsewhere, login))
            assert code_of(passkeys.verify(elsewhere, login, shown)) == "invalid_code"
        assert code_of(elsewhere.post("login/webauthn/options/", token=login)) == "invalid_token"
        assert code_of(passkeys.verify(elsewhere, login, shown)) == "invalid_token"
    client.sign_in(person)
    passkeys.sign_in(client, person, passkey)


def test_wrong_answers_at_step_up_close_that_session_alone(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    wrong, thief = forged(passkey), Person(person.email, access=person.access)
    for _ in range(5):
        shown = wrong.show(passkeys.reauthentication_options(client, thief))
        assert code_of(passkeys.reauthenticate(client, thief, shown)) == "invalid_code"
    shown = passkey.show(passkeys.reauthentication_options(client, thief))
    assert code_of(passkeys.reauthenticate(client, thief, shown)) == "rate_limited"
    code = {"method": "recovery_code", "code": person.recovery_codes.pop()}
    expect(client.post("reauthenticate/", code, person.access), 200)
    passkeys.sign_in(client, person, passkey)
    passkeys.step_up(client, person, passkey)


def test_right_answer_at_step_up_begins_the_count_anew(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    wrong = forged(passkey)
    for _ in range(2):
        for _ in range(4):
            shown = wrong.show(passkeys.reauthentication_options(client, person))
            assert code_of(passkeys.reauthenticate(client, person, shown)) == "invalid_code"
        passkeys.step_up(client, person, passkey)


def test_lock_of_the_codes_binds_nothing_in_a_stolen_session(client: Client) -> None:
    person = client.sign_up()
    assert person.authenticator
    creation = passkeys.creation_options(client, person)
    for _ in range(2):
        login = expect(client.login(person), 200)["partial_token"]
        for _ in range(5):
            client.verify(login, person.authenticator.wrong_code())
    assert code_of(client.post("mfa/totp/", {}, person.access)) == "temporarily_locked"
    assert code_of(client.post("mfa/webauthn/options/", token=person.access)) == "temporarily_locked"
    made = Passkey(client.server.origin).make(creation)
    assert code_of(passkeys.bind(client, person, made)) == "temporarily_locked"
