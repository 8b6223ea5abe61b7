"""Canonical JSON and commitments, against published and worked values."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.canonical import canonical, commit, encode, is_opening, new_salts
from audit.verify import leaves

SALT = bytes(range(16))


def test_rfc_8785_section_3_2_3_sorting() -> None:
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    order = [2, 4, 6, 7, 1, 5, 3]
    assert [int(part[-1:]) for part in canonical(names).decode().strip("}").split(",")] == order


def test_rfc_8785_appendix_b_like_strings() -> None:
    assert canonical({"b": "\u20ac$\x0f\nA'B\"\\/", "a": [True, None]}) == (
        '{"a":[true,null],"b":"\u20ac$\\u000f\\nA\'B\\"\\\\/"}'.encode()
    )


def test_the_worked_example_of_the_documentation() -> None:
    hashed = SALT + b'{"ip":"192.0.2.1"}'
    assert commit(SALT, "ip", "192.0.2.1") == base64.b64encode(hashlib.sha256(hashed).digest()).decode()
    assert commit(SALT, "ip", "192.0.2.1") == "/8BZJmKfk6GOMzPFcu++eWq0lAt9sZ1LF0eugyKN2BA="


@given(field=st.sampled_from(["ip", "text.email"]), value=st.text())
@example(field="ip", value="".join(map(chr, [*range(0x100), 0x2028, 0x2029, 0xFFFF, 0x1F600])))
def test_what_is_committed_to_is_canonical_json(field: str, value: str) -> None:
    hashed = SALT + canonical({field: value})
    assert commit(SALT, field, value) == base64.b64encode(hashlib.sha256(hashed).digest()).decode()


def test_text_that_utf_8_cannot_hold_has_no_commitment() -> None:
    with pytest.raises(ValueError):
        commit(SALT, "ip", "\ud800")


@pytest.mark.parametrize("value", [5, None, True, ["192.0.2.1"]])
def test_value_that_is_no_text_opens_nothing(value: Any) -> None:
    assert not is_opening(commit(SALT, "ip", "192.0.2.1"), encode(SALT), "ip", value)


def test_only_the_right_salt_field_and_value_open_a_commitment() -> None:
    commitment = commit(SALT, "ip", "192.0.2.1")
    salt = encode(SALT)
    assert is_opening(commitment, salt, "ip", "192.0.2.1")
    assert not is_opening(commitment, salt, "ip", "192.0.2.2")
    assert not is_opening(commitment, salt, "user", "192.0.2.1")
    assert not is_opening(commitment, encode(SALT[::-1]), "ip", "192.0.2.1")
    assert not is_opening(commitment, encode(SALT[:15]), "ip", "192.0.2.1")
    assert not is_opening(commitment, "not base64", "ip", "192.0.2.1")


@pytest.mark.parametrize(
    "salt",
    [
        "",
        encode(SALT[:15]),
        encode(SALT + b"\0"),
        encode(SALT[:15]).replace("=", "") + "!!!!",  # signs that decoders pass over
        encode(SALT[:12]) + "!!!!Aw==",
        encode(SALT)[:-3] + "x==",  # bits after the 128th
        encode(SALT)[:-2],
        encode(SALT) + "\n",
        7,
        None,
    ],
)
def test_salt_of_another_size_or_spelling_opens_nothing_for_who_verifies(salt: object) -> None:
    assert leaves.commitment("ip", "192.0.2.1", encode(SALT)) == commit(SALT, "ip", "192.0.2.1")
    with pytest.raises(leaves.Altered):
        leaves.commitment("ip", "192.0.2.1", salt)


def test_salts_are_128_bits_and_differ() -> None:
    salts = {salt for _ in range(500) for salt in new_salts(2)}
    assert len(salts) == 1000
    assert {len(salt) for salt in salts} == {16}


@pytest.mark.parametrize("value", [float("nan"), 2**53, {"a": object()}, "\ud800"])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical(value)
