"""A phishing site sits between a person and the service.

Attacker: has the password and a page that the person trusts; relays the genuine challenge. Move: collects the answer
under its own origin, for its own relying party id, inside a frame, or without the person being there. Refusal: origin
and id are compared exactly and signed over, a frame of another site is refused, presence is demanded.
"""

from typing import Any

import pytest

from tests import passkeys
from tests.client import Client, code_of, expect
from tests.passkeys import BE, UP, UV, Passkey

ORIGINS = [
    "https://evil.example",
    "http://localhost",
    "https://localhost",
    "{origin}/",
    "{origin}.evil.example",
    "{origin}0",
    "http://LOCALHOST",
    "null",
    "",
    None,
    ["{origin}"],
]


def wrong_client_data(client: Client) -> list[dict[str, Any]]:
    own = client.server.origin
    origins = [one.replace("{origin}", own) if isinstance(one, str) else one for one in ORIGINS]
    return [
        *[{"origin": origin} for origin in origins],
        {"crossOrigin": True},
        {"crossOrigin": 1},
        {"crossOrigin": None},
        {"crossOrigin": True, "topOrigin": "https://evil.example"},
        {"topOrigin": own},
    ]


def test_answer_collected_elsewhere_opens_nothing(client: Client) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    for data in wrong_client_data(client):
        login = expect(client.login(person), 200)["partial_token"]
        shown = passkey.show(passkeys.login_options(client, login), **data)
        assert code_of(passkeys.verify(client, login, shown)) == "invalid_code", data
    passkeys.sign_in(client, person, passkey)


def test_credential_made_elsewhere_is_not_bound(client: Client) -> None:
    person = client.sign_up()
    for data in wrong_client_data(client):
        made = Passkey(client.server.origin).make(passkeys.creation_options(client, person), **data)
        assert code_of(passkeys.bind(client, person, made)) == "validation_failed", data
    assert len(expect(client.get("mfa/", person.access), 200)["authenticators"]) == 1


@pytest.mark.parametrize("rp_id", ["evil.example", "LOCALHOST", "localhost.", ""])
def test_answer_for_another_relying_party_is_refused(client: Client, rp_id: str) -> None:
    person = client.sign_up()
    made = Passkey(client.server.origin, rp_id=rp_id).make(passkeys.creation_options(client, person))
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"
    passkey = passkeys.add_passkey(client, person)
    passkey.rp_id = rp_id
    login = expect(client.login(person), 200)["partial_token"]
    shown = passkey.show(passkeys.login_options(client, login))
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"


@pytest.mark.parametrize("flags", [0, UV, UP | UV | BE])
def test_absent_person_or_changed_eligibility_for_backup_is_refused(client: Client, flags: int) -> None:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    passkey.flags = flags
    login = expect(client.login(person), 200)["partial_token"]
    shown = passkey.show(passkeys.login_options(client, login))
    assert code_of(passkeys.verify(client, login, shown)) == "invalid_code"
