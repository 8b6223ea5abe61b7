"""Somebody who writes into the database plants a passkey in another account.

Attacker: has an account with a passkey, the victim's password, and the tables, but not the master key. Move: gives the
own row to the victim, or puts the own public key into the victim's row. Refusal: each row is sealed with its owner and
key by a keyed digest; what another hand wrote proves nothing.
"""

from tests import passkeys
from tests.attacks.evidence import claims
from tests.client import Client, Person, code_of, expect
from tests.passkeys import Passkey


def row_of(client: Client, person: Person) -> str:
    rows = client.server.rows("SELECT id FROM mfa_passkey WHERE user_id = %s", [claims(person.access)["sub"]])
    return str(rows[0][0])


def assert_refused(client: Client, victim: Person, passkey: Passkey) -> None:
    login = expect(client.login(victim), 200)["partial_token"]
    shown = passkey.show(passkeys.login_options(client, login))
    shown["response"].pop("userHandle")
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"


def test_row_that_was_given_to_another_account_proves_nothing(client: Client) -> None:
    victim, thief = client.sign_up(), client.sign_up()
    passkey = passkeys.add_passkey(client, thief)
    moved = [claims(victim.access)["sub"], row_of(client, thief)]
    client.server.rows("UPDATE mfa_passkey SET user_id = %s WHERE id = %s", moved)
    assert_refused(client, victim, passkey)


def test_key_that_was_put_into_a_row_proves_nothing(client: Client) -> None:
    victim, thief = client.sign_up(), client.sign_up()
    own, theirs = passkeys.add_passkey(client, victim), passkeys.add_passkey(client, thief)
    passkeys.sign_in(client, victim, own)
    swapped = [row_of(client, thief), row_of(client, victim)]
    statement = (
        "UPDATE mfa_passkey SET public_key = (SELECT public_key FROM mfa_passkey WHERE id = %s) WHERE id = %s"
    )
    client.server.rows(statement, swapped)
    theirs.credential_id = own.credential_id
    assert_refused(client, victim, theirs)
    assert_refused(client, victim, own)
