"""Where a request comes from, whatever its headers say."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from throttling.address import MAX_HOPS, client_address, is_trusted_peer, source_key, wide_source_key

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
CLIENT = "203.0.113.9"


def address(peer: str, x_forwarded_for: str = "", forwarded: str = "") -> str:
    meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": x_forwarded_for, "HTTP_FORWARDED": forwarded}
    return client_address(meta, PROXIES)


def test_untrusted_peer_is_itself_whatever_it_claims() -> None:
    assert address(CLIENT, "1.2.3.4", "for=1.2.3.4") == CLIENT
    assert address("127.0.0.1", "1.2.3.4") == "127.0.0.1"


@pytest.mark.parametrize(
    "header",
    [
        "203.0.113.9",
        "1.2.3.4, 203.0.113.9",
        "1.2.3.4,203.0.113.9 , 10.1.1.1",
        "junk,203.0.113.9:443",
        "::ffff:203.0.113.9",
    ],
)
def test_right_most_untrusted_hop_counts(header: str) -> None:
    assert address("10.0.0.1", header) == CLIENT
    assert address("fd00::1", header) == CLIENT


@pytest.mark.parametrize(
    "header",
    [
        "for=203.0.113.9",
        'for=1.2.3.4, For="203.0.113.9:80";proto=https;by=10.0.0.1',
        'for=1.2.3.4;x="a,b", proto=http;for=203.0.113.9, for=10.1.1.1',
    ],
)
def test_forwarded_is_read(header: str) -> None:
    assert address("10.0.0.1", forwarded=header) == CLIENT


def test_forwarded_ipv6() -> None:
    assert address("10.0.0.1", forwarded='for="[2001:db8::1]:4711"') == "2001:db8::1"
    assert address("10.0.0.1", "[2001:DB8::1]:80") == "2001:db8::1"


@pytest.mark.parametrize(
    "header",
    [
        'for=1.2.3.4;x=", for=203.0.113.9;by="10.0.0.1"',
        'for=1.2.3.4;x="\\", for="[2001:db8::1]"',
        "for=1.2.3.4;for=5.6.7.8",
        "for=_hidden",
        "for=unknown",
        "proto=https",
    ],
)
def test_reading_stops_at_garbage(header: str) -> None:
    assert address("10.0.0.1", forwarded=header) == "10.0.0.1"


def test_hop_hidden_by_a_proxy_is_not_skipped() -> None:
    assert address("10.0.0.1", "1.2.3.4, unknown") == "10.0.0.1"
    assert address("10.0.0.1", "1.2.3.4, unknown, 10.9.9.9") == "10.9.9.9"


@pytest.mark.parametrize("invented", [1, MAX_HOPS - 1, MAX_HOPS, 3 * MAX_HOPS])
def test_hops_before_the_last_ones_are_not_read(invented: int) -> None:
    header = ",".join(["1.2.3.4"] * invented)
    assert address("10.0.0.1", f"{header},{CLIENT}") == CLIENT
    own = ",".join(["10.9.9.9"] * MAX_HOPS)
    assert address("10.0.0.1", f"{header},{own}") == "10.9.9.9"


def test_headers_that_disagree_are_not_believed() -> None:
    assert address("10.0.0.1", CLIENT, "for=1.2.3.4") == "10.0.0.1"
    assert address("10.0.0.1", CLIENT, f"for={CLIENT}") == CLIENT


def test_mapped_addresses_are_folded() -> None:
    assert address("::ffff:10.0.0.1", CLIENT) == CLIENT
    assert address("::ffff:203.0.113.9") == CLIENT


def test_peer_without_an_address() -> None:
    assert address("") == "0.0.0.0"
    assert not is_trusted_peer({}, PROXIES)
    assert is_trusted_peer({"REMOTE_ADDR": "10.0.0.1"}, PROXIES)


def test_source_keys() -> None:
    assert (source_key(CLIENT), wide_source_key(CLIENT)) == (CLIENT, None)
    assert source_key("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert wide_source_key("2001:db8:1:2:3::4") == "2001:db8:1::/48"
    assert source_key("::ffff:203.0.113.9") == CLIENT
    assert source_key("fe80::1%eth0") == "fe80::/64"


FRAGMENT = st.sampled_from(
    [
        "for=",
        "1.2.3.4",
        "203.0.113.9",
        '"',
        ",",
        ";",
        "\\",
        "[::1]",
        "10.0.0.1",
        " ",
        ":80",
        "%",
        "unknown",
        "\x00",
        "é",
        "=",
    ]
)
HEADER = st.one_of(st.text(max_size=60), st.lists(FRAGMENT, max_size=20).map("".join))


@given(x_forwarded_for=HEADER, forwarded=HEADER)
def test_malformed_headers_never_raise_nor_spoof(x_forwarded_for: str, forwarded: str) -> None:
    assert str(ip_address(address("10.0.0.1", x_forwarded_for, forwarded)))
    assert address(CLIENT, x_forwarded_for, forwarded) == CLIENT
    assert address("10.0.0.1", f"{x_forwarded_for},{CLIENT}") == CLIENT
    assert address("10.0.0.1", "", f'{forwarded},for={CLIENT};by="[fd00::1]"') in (CLIENT, "10.0.0.1")
