"""What an operator sets of WebAuthn: user verification, attestation, related origins."""

from collections.abc import Iterator

import pytest

from tests import passkeys
from tests.client import Client, code_of, expect
from tests.conftest import new_address
from tests.passkeys import UP, Passkey
from tests.server import Server, running_server

RELATED = "https://app.example.org"
SETTINGS = {
    "ARGON2_MEMORY_KIB": "8",
    "ARGON2_TIME_COST": "1",
    "WEBAUTHN_USER_VERIFICATION": "required",
    "WEBAUTHN_ATTESTATION": "direct",
    "WEBAUTHN_RELATED_ORIGINS": "https://APP.example.org:443, https://shop.example.net",
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("sqlite", tmp_path_factory.mktemp("strict"), environment=SETTINGS) as server:
        yield server


@pytest.fixture
def visitor(strict: Server) -> Iterator[Client]:
    client = Client(strict, new_address())
    yield client
    client.close()


pytestmark = pytest.mark.xdist_group("passkey settings")


def test_options_say_what_is_set(visitor: Client) -> None:
    person = visitor.sign_up()
    creation = passkeys.creation_options(visitor, person)
    assert creation["authenticatorSelection"]["userVerification"] == "required"
    assert creation["attestation"] == "direct"
    expect(passkeys.bind(visitor, person, Passkey(visitor.server.origin).make(creation)), 201)
    request = passkeys.reauthentication_options(visitor, person)
    assert request["userVerification"] == "required"


def test_passkey_that_did_not_check_its_owner_is_refused_where_it_must(visitor: Client) -> None:
    person = visitor.sign_up()
    careless = Passkey(visitor.server.origin, flags=UP)
    made = careless.make(passkeys.creation_options(visitor, person))
    assert code_of(passkeys.bind(visitor, person, made)) == "validation_failed"
    passkey = passkeys.add_passkey(visitor, person)
    passkey.flags = UP
    shown = passkey.show(passkeys.reauthentication_options(visitor, person))
    assert code_of(passkeys.reauthenticate(visitor, person, shown)) == "invalid_code"


def test_passkey_is_used_at_a_related_origin_and_no_other(visitor: Client) -> None:
    told = visitor.get("/.well-known/webauthn").json()["origins"]
    assert told == [visitor.server.origin, RELATED, "https://shop.example.net"]
    person = visitor.sign_up()
    passkey = passkeys.add_passkey(visitor, person)
    for origin in ("http://app.example.org", f"{RELATED}:444", "https://example.org"):
        shown = passkey.show(passkeys.reauthentication_options(visitor, person), origin=origin)
        assert code_of(passkeys.reauthenticate(visitor, person, shown)) == "invalid_code", origin
    passkey.origin = RELATED
    passkeys.step_up(visitor, person, passkey)
