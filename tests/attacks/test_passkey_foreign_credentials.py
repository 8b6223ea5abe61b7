"""Somebody binds, or shows, a credential that is not theirs.

Attacker: has an account and learns another account's credential id or user handle, which are no secrets. Move: binds
the id to the own account before or after the owner, at the same moment, or shows it with another key or handle.
Refusal: an id is bound once, whoever has it is not told, and a passkey proves its own account alone.
"""

from collections.abc import Callable
from functools import partial

from tests import passkeys
from tests.attacks.volley import fire, statuses
from tests.client import Client, code_of, expect
from tests.passkeys import Passkey


def test_credential_id_is_bound_once_and_nobody_learns_to_whom(new_client: Callable[..., Client]) -> None:
    client = new_client()
    owner, thief = client.sign_up(), client.sign_up()
    known = passkeys.add_passkey(client, owner)
    copy = Passkey(client.server.origin, credential_id=known.credential_id)
    theirs = passkeys.bind(client, thief, copy.make(passkeys.creation_options(client, thief)))
    passkeys.sign_in(client, owner, known)
    own = passkeys.bind(client, owner, copy.make(passkeys.creation_options(client, owner)))
    never = Passkey(client.server.origin).make(
        passkeys.creation_options(client, thief), origin="https://evil.example"
    )
    invalid = passkeys.bind(client, thief, never)
    told = [{**answer.json(), "request_id": ""} for answer in (theirs, own, invalid)]
    assert told[0] == told[1] == told[2]
    assert code_of(theirs) == "validation_failed"
    passkeys.sign_in(client, owner, known)
    assert expect(client.login(thief), 200)["methods"] == ["totp", "recovery_code"]


def test_one_credential_id_at_two_accounts_at_once_is_bound_once(new_client: Callable[..., Client]) -> None:
    client = new_client()
    people = [client.sign_up() for _ in range(4)]
    credential_id = passkeys.random_id(32)
    made = [
        Passkey(client.server.origin, credential_id=credential_id).make(
            passkeys.creation_options(client, one)
        )
        for one in people
    ]
    binding = zip(people, made, strict=True)
    answers = fire([partial(passkeys.bind, client, person, credential) for person, credential in binding])
    assert statuses(answers) == {201: 1, 400: 3}


def test_foreign_user_handle_and_key_are_refused(client: Client) -> None:
    owner, thief = client.sign_up(), client.sign_up()
    own, theirs = passkeys.add_passkey(client, owner), passkeys.add_passkey(client, thief)
    assert own.user_handle != theirs.user_handle
    for handle in (theirs.user_handle, passkeys.b64(owner.email.encode()), passkeys.b64(b"\0")):
        login = expect(client.login(owner), 200)["partial_token"]
        shown = own.show(passkeys.login_options(client, login))
        shown["response"]["userHandle"] = handle
        assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
    forged = Passkey(client.server.origin, credential_id=own.credential_id, user_handle=own.user_handle)
    login = expect(client.login(owner), 200)["partial_token"]
    shown = forged.show(passkeys.login_options(client, login))
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
    for told in (None, own.user_handle):  # a security key may tell none
        login = expect(client.login(owner), 200)["partial_token"]
        shown = own.show(passkeys.login_options(client, login))
        shown["response"]["userHandle"] = told
        expect(passkeys.verify(client, login, shown), 200)


def test_passkey_of_another_person_is_none_of_mine(client: Client) -> None:
    owner, thief = client.sign_up(), client.sign_up()
    passkeys.add_passkey(client, owner)
    passkey = passkeys.add_passkey(client, thief)
    passkeys.sign_in(client, thief, passkey)
    owner_id = client.server.rows("SELECT id FROM mfa_passkey ORDER BY created_at DESC LIMIT 2")[1][0]
    answer = client.request("PATCH", f"mfa/{owner_id}/", thief.access, json={"name": "mine"})
    assert code_of(answer) == "not_found"
    assert code_of(client.delete(f"mfa/{owner_id}/", thief.access)) == "not_found"
