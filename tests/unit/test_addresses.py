"""One mailbox, one account, however its address is spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.ready  # noqa: F401
from secure_auth import addresses


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", "ADA@EXAMPLE.ORG"),
        ("ada@example.org", "\uff41da@example.org"),
        ("josé@example.org", "jose\u0301@example.org"),
        ("ada@müller.example.org", "ada@xn--mller-kva.example.org"),
        ("straße@example.org", "STRASSE@example.org"),
        ("oﬃce@example.org", "office@example.org"),
        ("\u212aelvin@example.org", "kelvin@example.org"),
        ("ada@example.org", " ada@example.org\t "),
    ],
)
def test_spellings_of_one_address_have_one_key(one: str, other: str) -> None:
    assert addresses.identify(one).key == addresses.identify(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", "ada@example.com"),
        ("ada@example.org", "ada+tag@example.org"),
        ("a.da@example.org", "ada@example.org"),
        ("аda@example.org", "ada@example.org"),  # noqa: RUF001 a Cyrillic first letter
    ],
)
def test_different_addresses_stay_different(one: str, other: str) -> None:
    assert addresses.identify(one).key != addresses.identify(other).key


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "ada", "@example.org", "ada@", "ada@@example.org", "ada@example..org", "ada@-example.org",
        "ada@example.org\n", "ada@example.org\r\nBcc: x@example.org", "a b@example.org", "<ada@example.org>",
        "Ada <ada@example.org>", "ada@[127.0.0.1]", '"a b"@example.org', "ada@localhost", "ada\x00@example.org",
        "a" * 250 + "@example.org", "ada@" + "a" * 64 + ".org", "ﷺ" * 21 + "@example.org",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        addresses.parse_address(typed)


def test_refused_text_is_an_unknown_account_like_any_other() -> None:
    assert addresses.identify("Not An Address").key == "not an address"


def test_folding_is_stable() -> None:
    for text in ("ẞ@Ω.example", "İstanbul", "ﬁ", "\u1e9b\u0323", "Å"):
        assert addresses.fold(addresses.fold(text)) == addresses.fold(text)


PARTS = st.lists(
    st.sampled_from(["a", "B", "9", ".", "+", "-", "_", "@", "xn--", "mller-kva", "postmaster", "org", " "])
)


@given(
    st.one_of(
        PARTS.map("".join),
        st.text(max_size=20),
        st.tuples(PARTS, PARTS).map(lambda pair: f"{''.join(pair[0])}@{''.join(pair[1])}.org"),
    )
)
def test_who_asks_for_the_key_alone_gets_the_same_one(typed: str) -> None:
    assert addresses.recognise(typed).key == addresses.identify(typed).key


def test_a_domain_in_punycode_is_judged() -> None:
    assert addresses.recognise("ada@XN--mller-kva.example.org").key == "ada@müller.example.org"
