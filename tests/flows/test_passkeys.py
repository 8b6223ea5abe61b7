"""Passkeys and security keys: bound, shown in the second step and at step-up, named, listed, removed."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import passkeys
from tests.attacks.evidence import claims
from tests.authenticator import text_of
from tests.client import Client, Person, code_of, expect, new_email
from tests.passkeys import BE, BS, EDDSA, ES256, RS256, UP, UV, Passkey
from tests.redis_processes import wait_until


def listed(client: Client, person: Person) -> list[dict[str, Any]]:
    return list(expect(client.get("mfa/", person.access), 200)["authenticators"])


def test_passkey_is_a_second_factor_that_resists_phishing(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, "Laptop")
    answer = expect(client.login(person), 200)
    assert (answer["next"], answer["methods"]) == ("verify", ["totp", "webauthn", "recovery_code"])
    options = passkeys.login_options(client, answer["partial_token"])
    assert options["rpId"] == "localhost"
    assert options["userVerification"] == "preferred"
    assert [one["id"] for one in options["allowCredentials"]] == [passkeys.b64(passkey.credential_id)]
    assert options["allowCredentials"][0]["transports"] == ["hybrid", "internal"]
    pair = expect(passkeys.verify(client, answer["partial_token"], passkey.show(options)), 200)
    told = claims(pair["access"])
    assert told["amr"] == ["pwd", "hwk", "phr", "mfa"]
    assert told["acr"] == "aal2"
    expect(client.me(pair["access"]), 200)


def test_options_of_a_new_passkey(client: Client) -> None:
    person = client.sign_up()
    options = passkeys.creation_options(client, person)
    assert options["rp"] == {"name": "Secure Auth", "id": "localhost"}
    assert options["user"]["name"] == person.email
    handle = passkeys.unb64(options["user"]["id"])
    assert len(handle) == 64
    assert person.email.encode() not in handle
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [ES256, EDDSA, RS256]
    assert options["attestation"] == "none"
    assert options["excludeCredentials"] == []
    assert options["authenticatorSelection"]["residentKey"] == "preferred"
    assert len(passkeys.unb64(options["challenge"])) == 32
    first = Passkey(client.server.origin)
    expect(passkeys.bind(client, person, first.make(options)), 201)
    passkeys.sign_in(client, person, first)
    again = passkeys.creation_options(client, person)
    assert [one["id"] for one in again["excludeCredentials"]] == [passkeys.b64(first.credential_id)]
    assert again["user"]["id"] == options["user"]["id"]
    assert again["challenge"] != options["challenge"]


def test_first_passkeys_that_are_made_at_once_share_a_user_handle(client: Client) -> None:
    person = client.sign_up()
    elsewhere = client.sign_in(Person(person.email, authenticator=person.authenticator))
    begun = [passkeys.creation_options(client, one) for one in (person, elsewhere, person)]
    for options in begun[::2]:
        passkey = Passkey(client.server.origin)
        expect(passkeys.bind(client, person, passkey.make(options)), 201)
        passkeys.step_up(client, person, passkey)
    begun.append(passkeys.creation_options(client, person))
    assert len({options["user"]["id"] for options in begun}) == 1
    stranger = client.sign_up()
    assert passkeys.creation_options(client, stranger)["user"]["id"] != begun[0]["user"]["id"]


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_each_algorithm_and_a_counter(client: Client, algorithm: int) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, algorithm=algorithm, counter=7)
    for _ in range(2):
        passkeys.sign_in(client, person, passkey)
    assert passkey.counter == 9


def test_passkey_that_is_synced_is_a_software_key(client: Client) -> None:
    person = client.sign_up()
    synced = passkeys.add_passkey(client, person, flags=UP | UV | BE | BS)
    passkeys.sign_in(client, person, synced)
    assert claims(person.access)["amr"] == ["pwd", "swk", "phr", "mfa"]


def test_passkeys_are_listed_beside_authenticator_apps(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, "Key ring")
    app, key = listed(client, person)
    assert (app["type"], key["type"]) == ("totp", "webauthn")
    assert (key["name"], key["last_used_at"]) == ("Key ring", None)
    assert set(app) == set(key) == {"id", "type", "name", "created_at", "last_used_at"}
    passkeys.sign_in(client, person, passkey)
    assert listed(client, person)[1]["last_used_at"] is not None


def test_login_under_way_dies_when_a_passkey_is_bound(client: Client) -> None:
    person = client.sign_up()
    login = expect(client.login(person), 200)["partial_token"]
    passkeys.add_passkey(client, person)
    assert code_of(client.verify(login, person.recovery_codes[0], "recovery_code")) == "invalid_token"


def test_reauthentication_with_a_passkey_is_fresh_and_says_so(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    passkeys.step_up(client, person, passkey)
    assert claims(person.access)["amr"] == ["pwd", "hwk", "phr", "mfa"]
    expect(client.post("mfa/recovery-codes/", token=person.access), 200)


def test_authenticators_of_both_kinds_are_renamed(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, "Laptop")
    passkeys.sign_in(client, person, passkey)
    for row, name in zip(listed(client, person), ("\u202ePhone\u200b", ""), strict=True):
        answer = expect(client.request("PATCH", f"mfa/{row['id']}/", person.access, json={"name": name}), 200)
        assert (answer["id"], answer["name"]) == (row["id"], "Phone" if name else "")
        assert answer["type"] == row["type"]
    assert [row["name"] for row in listed(client, person)] == ["Phone", ""]


def test_last_second_factor_stays_whatever_its_kind(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    passkeys.sign_in(client, person, passkey)
    app, key = (row["id"] for row in listed(client, person))
    expect(client.delete(f"mfa/{app}/", person.access), 204)
    assert code_of(client.delete(f"mfa/{key}/", person.access)) == "last_authenticator"
    answer = expect(client.login(person), 200)
    assert (answer["next"], answer["methods"]) == ("verify", ["webauthn", "recovery_code"])
    client.enrol(passkeys.sign_in(client, person, passkey), person.access)
    expect(client.delete(f"mfa/{key}/", person.access), 204)
    assert expect(client.login(person), 200)["methods"] == ["totp", "recovery_code"]


def test_removed_passkey_opens_nothing(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    passkeys.sign_in(client, person, passkey)
    other = passkeys.add_passkey(client, person)
    key = listed(client, person)[1]["id"]
    expect(client.delete(f"mfa/{key}/", person.access), 204)
    partial = expect(client.login(person), 200)["partial_token"]
    options = passkeys.login_options(client, partial)
    assert code_of(passkeys.verify(client, partial, passkey.show(options))) == "invalid_code"
    passkeys.sign_in(client, person, other)


def test_owner_is_told_of_a_passkey_bound_and_removed(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person, "Laptop")
    mailbox = client.mailbox(person)
    wait_until(lambda: any("Laptop" in text_of(one) for one in mailbox.messages()), 60)
    passkeys.sign_in(client, person, passkey)
    expect(client.delete(f"mfa/{listed(client, person)[1]['id']}/", person.access), 204)
    mailbox.wait_for_subject("An authenticator was removed")


def test_account_without_a_passkey_gets_no_challenge(client: Client) -> None:
    person = client.sign_up()
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.post("login/webauthn/options/", token=partial)) == "not_found"
    assert code_of(client.post("reauthenticate/webauthn/options/", token=person.access)) == "not_found"


def test_first_factor_is_no_passkey(client: Client) -> None:
    person = Person(new_email())
    client.server.create_user(person.email, person.password)
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.post("mfa/webauthn/options/", token=partial)) == "invalid_token"
    assert code_of(client.post("login/webauthn/options/", token=partial)) == "invalid_token"


def test_reset_of_the_factors_takes_the_passkeys(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    partial = expect(client.login(person), 200)["partial_token"]
    options = passkeys.login_options(client, partial)
    client.server.manage("reset_mfa", person.email)
    assert code_of(passkeys.verify(client, partial, passkey.show(options))) == "invalid_token"
    assert expect(client.login(person), 200)["next"] == "enroll"
    user = "SELECT id FROM secure_auth_user WHERE email = %s"
    for table in ("mfa_passkey", "mfa_ceremony"):
        assert client.server.rows(f"SELECT 1 FROM {table} WHERE user_id = ({user})", [person.email]) == []


def test_related_origins_are_told(client: Client) -> None:
    answer = client.get("/.well-known/webauthn")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"origins": [client.server.origin]}


def test_passkey_opens_a_lock_of_the_codes(new_client: Callable[..., Client]) -> None:
    client = new_client()
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    assert person.authenticator
    for _ in range(2):
        partial = expect(client.login(person), 200)["partial_token"]
        for _ in range(5):
            client.verify(partial, person.authenticator.wrong_code())
    partial = expect(client.login(person), 200)["partial_token"]
    assert code_of(client.verify(partial, person.code())) == "temporarily_locked"
    passkeys.sign_in(client, person, passkey)
    client.sign_in(person)


def test_wrong_answers_at_step_up_count_in_a_row_only(client: Client) -> None:
    """Answers to a challenge that is too old, one now and then."""
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    other = Passkey(passkey.origin, credential_id=passkey.credential_id, user_handle=passkey.user_handle)
    for _ in range(2):
        for _ in range(4):
            wrong = other.show(passkeys.reauthentication_options(client, person))
            assert code_of(passkeys.reauthenticate(client, person, wrong)) == "invalid_code"
        passkeys.step_up(client, person, passkey)
