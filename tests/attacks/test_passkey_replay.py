"""Somebody recorded an assertion of a passkey.

Attacker: knows the password and saw one answer of the passkey, on the wire or in a log. Move: shows it again, in the
same login, another one, at step-up, or 20 times at once. Refusal: a challenge is good once, by one DELETE; one session.
"""

from collections.abc import Callable
from functools import partial

from tests import passkeys
from tests.attacks.evidence import claims, live_sessions
from tests.attacks.volley import fire, statuses
from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.passkeys import Passkey
from tests.server import Server

AT_ONCE = 20


def test_assertion_is_good_once(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    seen = passkey.show(passkeys.login_options(client, login))
    expect(passkeys.verify(client, login, seen), 200)
    assert code_of(passkeys.verify(client, login, seen)) == "invalid_token"
    other = expect(new_client().login(person), 200)["partial_token"]
    assert code_of(passkeys.verify(client, other, seen)) == "invalid_code"
    passkeys.login_options(client, other)
    assert code_of(passkeys.verify(client, other, seen)) == "invalid_code"
    assert code_of(passkeys.reauthenticate(client, person, seen)) == "invalid_code"


def test_assertion_of_a_reauthentication_is_good_once(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    seen = passkey.show(passkeys.reauthentication_options(client, person))
    expect(passkeys.reauthenticate(client, person, seen), 200)
    assert code_of(passkeys.reauthenticate(client, person, seen)) == "invalid_code"


def test_challenge_of_a_wrong_answer_is_spent(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    options = passkeys.login_options(client, login)
    wrong = passkey.show(options, origin="https://evil.example")
    assert code_of(passkeys.verify(client, login, wrong)) == "invalid_code"
    assert code_of(passkeys.verify(client, login, passkey.show(options))) == "invalid_code"
    expect(passkeys.verify(client, login, passkey.show(passkeys.login_options(client, login))), 200)


def test_answer_that_comes_too_late_opens_and_binds_nothing(server: Server, client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    made = Passkey(client.server.origin).make(passkeys.creation_options(client, person))
    shown = passkey.show(passkeys.login_options(client, login))
    proved = passkey.show(passkeys.reauthentication_options(client, person))
    user = claims(person.access)["sub"]
    server.rows("UPDATE mfa_ceremony SET expires_at = '2001-01-01 00:00:00+00:00' WHERE user_id = %s", [user])
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
    assert code_of(passkeys.reauthenticate(client, person, proved)) == "invalid_code"


def test_of_many_challenges_the_newest_five_are_good(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    oldest, second, *_ = [passkeys.login_options(client, login) for _ in range(6)]
    assert code_of(passkeys.verify(client, login, passkey.show(oldest))) == "invalid_code"
    expect(passkeys.verify(client, login, passkey.show(second)), 200)


def test_one_assertion_many_times_at_once_opens_one_session(server: Server, client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    login = expect(client.login(person), 200)["partial_token"]
    seen = passkey.show(passkeys.login_options(client, login))
    answers = fire([partial(passkeys.verify, client, login, seen) for _ in range(AT_ONCE)])
    found = statuses(answers)
    assert found[200] == 1
    assert found[200] + found[401] + found[429] == AT_ONCE
    assert len(live_sessions(server, claims(person.access)["sub"]) - {person.session_id}) == 1


def test_assertion_that_a_double_of_the_request_used_up_proves_nothing(
    server: Server, client: Client
) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    seen = passkey.show(passkeys.reauthentication_options(client, person))
    answer = outcome(
        server,
        f"login.reauthenticate(user=User.objects.get(email={person.email!r}), password='', source=source, "
        f"session=Session.objects.get(pk={person.session_id!r}), factor=SecondFactor('webauthn', credential={seen!r}))",
        before="secure_auth.second_factor.accept",
        meanwhile=f"passkeys.Ceremony.objects.filter(user__email={person.email!r}).delete()",
        address=new_address(),
    )
    assert answer == "invalid_code"


def test_new_credential_many_times_at_once_is_bound_once(client: Client) -> None:
    person = client.sign_up()
    made = Passkey(client.server.origin).make(passkeys.creation_options(client, person))
    answers = fire([partial(passkeys.bind, client, person, made) for _ in range(8)])
    assert statuses(answers)[201] == 1
    kinds = [one["type"] for one in expect(client.get("mfa/", person.access), 200)["authenticators"]]
    assert kinds == ["totp", "webauthn"]
