"""Somebody copied the private key of a security key.

Attacker: knows the password and holds a copy of the key with its counter. Move: signs in beside the owner. Refusal:
the counter of one of the two stands still or goes back: refused, an event of high severity, a mail to the owner, and
the stored counter stays. An authenticator without a counter says 0 for ever.
"""

from collections.abc import Callable

from tests import passkeys
from tests.attacks.evidence import claims, events
from tests.authenticator import text_of
from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.meanwhile import outcome
from tests.passkeys import BE, BS, UP, UV
from tests.server import Server


def test_counter_that_does_not_grow_is_refused_and_told(
    server: Server, new_client: Callable[..., Client]
) -> None:
    client = new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, "Blue key", counter=40)
    passkeys.sign_in(client, person, passkey)  # 41
    for count in (41, 40, 1, 0):
        login = expect(client.login(person), 200)["partial_token"]
        shown = passkey.show(passkeys.login_options(client, login), counter=count)
        assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
    shown = passkey.show(passkeys.reauthentication_options(client, person), counter=7)
    assert code_of(passkeys.reauthenticate(client, person, shown)) == "invalid_code"
    user = claims(person.access)["sub"]
    (key,) = (
        one["id"]
        for one in expect(client.get("mfa/", person.access), 200)["authenticators"]
        if one["type"] == "webauthn"
    )
    told = events(server, user=user, reason="sign_counter")
    assert [one.type for one in told] == ["login.second_factor"] * 4 + ["session.reauthenticate"]
    assert {one.severity for one in told} == {"high"}
    assert {one.details["authenticator"] for one in told} == {key}
    mails = client.mailbox(person).wait_for_subject("A passkey may have been copied")
    assert "Blue key" in text_of(mails[0])
    passkey.counter = 41
    passkeys.sign_in(client, person, passkey)


def test_copy_without_a_right_signature_warns_nobody(server: Server, client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, counter=40)
    passkey.key = passkeys.make_key(passkeys.ES256)
    login = expect(client.login(person), 200)["partial_token"]
    shown = passkey.show(passkeys.login_options(client, login), counter=1)
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
    assert not events(server, user=claims(person.access)["sub"], reason="sign_counter")


def test_counter_of_a_refused_answer_is_not_stored(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, counter=40)
    login = expect(client.login(person), 200)["partial_token"]
    shown = passkey.show(
        passkeys.login_options(client, login), counter=4_000_000_000, origin="https://evil.example"
    )
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
    passkeys.sign_in(client, person, passkey)


def test_key_that_could_not_be_copied_when_it_was_bound_proves_nothing_once_it_can_be(client: Client) -> None:
    """Nor the other way round: whether it may leave its device stands in amr (section 7.2)."""
    person = client.sign_up()
    for bound, shown in ((UP | UV, UP | UV | BE | BS), (UP | UV | BE, UP | UV)):
        passkey = passkeys.add_passkey(client, person, flags=bound)
        passkeys.step_up(client, person, passkey)
        passkey.flags = shown
        changed = passkey.show(passkeys.reauthentication_options(client, person))
        assert code_of(passkeys.reauthenticate(client, person, changed)) == "invalid_code"


def test_key_that_is_removed_while_it_is_shown_proves_nothing_and_warns_nobody(
    server: Server, client: Client
) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    shown = passkey.show(passkeys.reauthentication_options(client, person))
    user = claims(person.access)["sub"]
    answer = outcome(
        server,
        f"login.reauthenticate(user=User.objects.get(pk={user!r}), password='', source=source, "
        f"session=Session.objects.get(pk={person.session_id!r}), "
        f"factor=SecondFactor('webauthn', credential={shown!r}))",
        before="secure_auth.second_factor.accept",
        meanwhile=f"passkeys.Passkey.objects.filter(user={user!r}).delete()",
        address=new_address(),
    )
    assert answer == "invalid_code"
    (refused,) = events(server, user=user, type="session.reauthenticate")
    assert refused.reason == "wrong_code"
