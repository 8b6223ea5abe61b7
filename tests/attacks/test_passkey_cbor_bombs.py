"""A few hundred bytes of CBOR that grow when they are read.

Attacker: has an account, or a login under way and the password alone. Move: puts tags of general CBOR where a passkey
writes its key and its extensions: values that name one another, whose copy is a thousand million items, regular
expressions that take half a minute to compile, and encodings longer than they need be, so that what is read next begins
inside a string, and keys that are maps and lists, whose hashes he makes alike, so that each is compared with all before
it. Refusal: passkeys write CTAP2 canonical CBOR, which has no tags, one spelling of each value and few lists and maps;
what has another form is refused unread, at the cost of its length.
"""

import itertools
import time
from dataclasses import dataclass
from typing import Any

import cbor2
import pytest

from tests import passkeys
from tests.client import Client, code_of, expect
from tests.passkeys import UP, UV, Passkey, b64

ED = 0x80
AT_MOST_SECONDS = 5
WIDE = 16
SHARED, REFERENCE, REGULAR_EXPRESSION = b"\xd8\x1c", b"\xd8\x1d", b"\xd8\x23"


def laughs(levels: int) -> bytes:
    """Lists of references to the list before: written again without references, WIDE times as much a level."""
    many = bytes([0x80 | WIDE])
    lists = [SHARED + many + bytes(WIDE)]
    lists += [SHARED + many + (REFERENCE + bytes([level])) * WIDE for level in range(levels)]
    return bytes([0x80 | len(lists)]) + b"".join(lists)


def expression(pattern: str) -> bytes:
    return REGULAR_EXPRESSION + cbor2.dumps(pattern)


def alike(count: int, levels: int) -> bytes:
    """A map whose keys are maps in maps, at whose end stand -1 and -2 in all orders: Python hashes both to -2."""
    ends = itertools.product(b"\x20\x21", repeat=11)
    keys = [b"\xa1" * levels + b"\x8b" + bytes(end) + bytes(levels) for end in itertools.islice(ends, count)]
    return b"\xb9" + count.to_bytes(2) + b"".join(key + b"\0" for key in keys)


BOMBS: dict[str, bytes] = {
    "shared values": laughs(3),
    "a regular expression": expression("a"),
    "a tag inside": cbor2.dumps({"a": [{"b": cbor2.CBORTag(1000, 0)}]}),
    "a number that is written too long": b"\x1b" + bytes(8),
    "a length that is written too long": b"\x59\x00\x01a",
    "a float": cbor2.dumps(1.5),
    "an endless list": b"\x9f\x00\xff",
    "keys that are hashed alike": alike(100, 6),
}


@dataclass
class Extending(Passkey):
    """A passkey that says something of its own beside its proof, signed as all is."""

    extensions: bytes = b""

    def authenticator_data(self, **what: Any) -> bytes:
        return super().authenticator_data(**what) + self.extensions


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_extensions_in_general_cbor_open_nothing(client: Client, bomb: bytes) -> None:
    """Signed as they should be: it is their form that is refused."""
    person = client.sign_up()
    passkey = passkeys.add_passkey(client, person)
    for extensions, code in ((bomb, "invalid_code"), (cbor2.dumps({"credProtect": 2}), "")):
        told = Extending(**{**vars(passkey), "flags": UP | UV | ED, "extensions": extensions})
        login = expect(client.login(person), 200)["partial_token"]
        answer = passkeys.verify(client, login, told.show(passkeys.login_options(client, login)))
        assert ("" if answer.is_success else code_of(answer)) == code


COSTLY = {
    "an expression to compile": expression("(?i)" + "[\u0100-\U0010ffff]" * 2000),
    "keys to compare": alike(1400, 6),
}


@pytest.mark.parametrize("where", ["statement", "key", "extensions"])
@pytest.mark.parametrize("bomb", COSTLY.values(), ids=COSTLY)
def test_what_costs_a_decoder_dearly_is_not_decoded_at_binding(
    client: Client, where: str, bomb: bytes
) -> None:
    person = client.sign_up()
    passkey = Passkey(client.server.origin)
    made = passkey.make(passkeys.creation_options(client, person))
    passkey.flags = UP | UV | (ED if where == "extensions" else 0)
    data = passkey.authenticator_data(attested=passkey.attested())
    if where == "extensions":
        data += bomb
    if where == "key":
        data = data[: 37 + 18 + len(passkey.credential_id)] + bomb
    statement = bomb if where == "statement" else cbor2.dumps({})
    told = b"\xa3" + cbor2.dumps("fmt") + cbor2.dumps("none") + cbor2.dumps("attStmt") + statement
    told += cbor2.dumps("authData") + cbor2.dumps(data)
    made["response"]["attestationObject"] = b64(told)
    begun = time.monotonic()
    answer = passkeys.bind(client, person, made)
    assert time.monotonic() - begun < AT_MOST_SECONDS
    assert code_of(answer) == "validation_failed"
