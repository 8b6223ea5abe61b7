"""Anybody with a token sends what no browser would.

Attacker: base64 and CBOR garbage, members of other types, oversize ids and keys, deep nesting, weak or foreign keys,
altered bytes. Refusal: `validation_failed` for a body of another form, else the one error of its door; never a 500,
nothing is bound, and the genuine passkey goes on.
"""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests import passkeys
from tests.client import Client, Person, code_of, expect
from tests.conftest import scaled
from tests.passkeys import ES256, RS256, Json, Passkey, b64

FORMLESS: list[Any] = [
    None,
    "",
    "%%%",
    "a",
    "a===",
    "ä",
    "A" * 70000,
    7,
    True,
    [],
    {},
    ["AAAA"],
    {"a": "AAAA"},
]
DEEP = b"\x81" * 5000 + b"\x00"
JSON = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"\xff\xfe{}",
    b"[" * 5000,
    b"{}",
    b'{"challenge": 7}',
    b'{"type": []}',
]
CBOR = [
    b"",
    b"\xff",
    b"\x00",
    DEEP,
    cbor2.dumps([]),
    cbor2.dumps({}),
    cbor2.dumps({"fmt": "none"}),
    b"\x9b" + b"\xff" * 8,
]
CBOR += [
    cbor2.dumps({"fmt": 7, "attStmt": {}, "authData": b""}),
    b"\xbf" * 100,
    b"\xd8\x1c" * 50,
    b"\x5b" + b"\x7f" * 8,
]


def members(shown: Json) -> Iterator[tuple[str, Json]]:
    """The strings of a response, by name and with the object that holds each."""
    yield from (("id", shown), ("rawId", shown), ("type", shown), ("response", shown))
    wanted = ("clientDataJSON", "authenticatorData", "signature", "attestationObject")
    yield from ((name, shown["response"]) for name in wanted if name in shown["response"])


def altered(shown: Json, name: str, value: Any) -> Json:
    copied = copy.deepcopy(shown)
    holder = copied if name in copied else copied["response"]
    holder[name] = value
    return copied


@pytest.fixture
def keyed(client: Client) -> tuple[Person, Passkey]:
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    return passkeys.sign_in(client, person, passkey), passkey


def assert_still_right(client: Client, person: Person, passkey: Passkey) -> None:
    passkeys.sign_in(client, person, passkey)
    assert len(expect(client.get("mfa/", person.access), 200)["authenticators"]) == 2


def test_other_form_is_named_and_costs_no_try(client: Client, keyed: tuple[Person, Passkey]) -> None:
    person, passkey = keyed
    login = expect(client.login(person), 200)["partial_token"]
    shown = passkey.show(passkeys.login_options(client, login))
    for name, _ in members(shown):
        for value in FORMLESS:
            answer = passkeys.verify(client, login, altered(shown, name, value))
            assert code_of(answer) in ("validation_failed", "payload_too_large"), (name, value, answer.text)
    for credential in FORMLESS:
        assert code_of(passkeys.verify(client, login, credential)) in (
            "validation_failed",
            "payload_too_large",
        )
    expect(passkeys.verify(client, login, shown), 200)


@pytest.mark.parametrize(
    "body",
    [
        {"method": "webauthn"},
        {"method": "webauthn", "code": "123456"},
        {"method": "totp", "credential": {}},
        {"method": "passkey", "code": "123456"},
        {"credential": {}},
    ],
)
def test_method_takes_its_own_proof(client: Client, keyed: tuple[Person, Passkey], body: Json) -> None:
    login = expect(client.login(keyed[0]), 200)["partial_token"]
    assert code_of(client.post("login/verify/", body, login)) == "validation_failed"
    assert code_of(client.post("reauthenticate/", body, keyed[0].access)) == "validation_failed"


def test_garbage_in_base64_is_a_wrong_answer(client: Client, keyed: tuple[Person, Passkey]) -> None:
    person, passkey = keyed
    cases = [("clientDataJSON", text) for text in JSON[1:]]
    cases += [("authenticatorData", data) for data in (b"\0", bytes(36), bytes(37), bytes(2000))]
    cases += [("signature", data) for data in (b"\0", bytes(64), bytes(1500))]
    for name, data in cases:
        login = expect(client.login(person), 200)["partial_token"]
        shown = passkey.show(passkeys.login_options(client, login))
        answer = passkeys.verify(client, login, altered(shown, name, b64(data)))
        assert code_of(answer) == "invalid_code", (name, data)
    assert_still_right(client, person, passkey)


def test_garbage_binds_nothing(client: Client, keyed: tuple[Person, Passkey]) -> None:
    person, passkey = keyed
    made = Passkey(client.server.origin).make(passkeys.creation_options(client, person))
    cases = [("clientDataJSON", text) for text in JSON[1:]]
    cases += [("attestationObject", data) for data in CBOR[1:]]
    for name, data in cases:
        answer = passkeys.bind(client, person, altered(made, name, b64(data)))
        assert code_of(answer) == "validation_failed", (name, data)
    for name, _ in members(made):
        for value in FORMLESS:
            if name != "authenticatorData":
                answer = passkeys.bind(client, person, altered(made, name, value))
                assert code_of(answer) in ("validation_failed", "payload_too_large"), (name, value)
    assert_still_right(client, person, passkey)


def bad_keys() -> dict[str, Any]:
    point = passkeys.cose_key(ec.generate_private_key(ec.SECP256R1()))
    large = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    weak = passkeys.cose_key(rsa.generate_private_key(65537, 1024))
    return {
        "no map": 7,
        "empty": {},
        "no point of the curve": {**point, -3: bytes(32)},
        "another curve": {
            1: 2,
            3: ES256,
            -1: 2,
            -2: large.x.to_bytes(48, "big"),
            -3: large.y.to_bytes(48, "big"),
        },
        "another algorithm": {**point, 3: -47},
        "a symmetric key": {1: 4, 3: 5, -1: bytes(32)},
        "weak RSA": weak,
        "huge RSA": {1: 3, 3: RS256, -1: b"\xff" * 2048, -2: b"\x01\x00\x01"},
        "RSA of exponent 1": {1: 3, 3: RS256, -1: b"\xff" * 256, -2: b"\x01"},
        "text for numbers": {1: "2", 3: "-7", -1: "1", -2: "x", -3: "y"},
        "Ed25519 too short": {1: 1, 3: -8, -1: 6, -2: bytes(31)},
        "an algorithm that is not its key's": {**point, 3: RS256},
        "deep": [[[[[[]]]]]],
    }


@pytest.mark.parametrize("name", bad_keys())
def test_key_that_proves_nothing_is_not_bound(client: Client, name: str) -> None:
    person = client.sign_up()
    made = Passkey(client.server.origin).make(
        passkeys.creation_options(client, person), cose=bad_keys()[name]
    )
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"
    assert len(expect(client.get("mfa/", person.access), 200)["authenticators"]) == 1


@pytest.mark.parametrize(("size", "status"), [(0, 400), (1, 201), (1023, 201), (1024, 400), (9000, 400)])
def test_credential_id_has_at_most_1023_bytes(client: Client, size: int, status: int) -> None:
    person = client.sign_up()
    passkey = Passkey(client.server.origin, credential_id=passkeys.random_id(size))
    answer = passkeys.bind(client, person, passkey.make(passkeys.creation_options(client, person)))
    assert answer.status_code == status, answer.text
    if answer.is_success:
        passkeys.sign_in(client, person, passkey)


def test_id_that_the_authenticator_did_not_sign_is_not_bound(client: Client) -> None:
    person = client.sign_up()
    made = Passkey(client.server.origin).make(passkeys.creation_options(client, person))
    made["id"] = made["rawId"] = b64(bytes(32))
    assert code_of(passkeys.bind(client, person, made)) == "validation_failed"


def test_altered_bytes_open_and_bind_nothing(new_client: Callable[..., Client]) -> None:
    chance = random.Random(20)
    for _ in range(scaled(1, 10)):  # an account and a source each time, within the limits of both
        client = new_client()
        person = client.sign_up()
        passkey = passkeys.add_passkey(client, person)
        passkeys.sign_in(client, person, passkey)
        for _ in range(25):
            login = expect(client.login(person), 200)["partial_token"]
            shown = passkey.show(passkeys.login_options(client, login))
            name = chance.choice(("clientDataJSON", "authenticatorData", "signature"))
            raw = bytearray(passkeys.unb64(shown["response"][name]))
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            answer = passkeys.verify(client, login, altered(shown, name, b64(bytes(raw))))
            assert code_of(answer) == "invalid_code", (name, bytes(raw))
        assert_still_right(client, person, passkey)
