"""No header moves a source, whatever `Forwarded` and `X-Forwarded-For` hold and whichever networks are trusted."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import assume, example, given
from hypothesis import strategies as st

from throttling.address import Address, Network, client_address, source_key, wide_source_key

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
ADDRESS = st.one_of(V4, V6)
TRUSTED = st.one_of(st.tuples(V4, st.integers(4, 32)), st.tuples(V6, st.integers(4, 128))).map(
    lambda pair: ip_network(pair, strict=False)
)
NETWORKS = st.lists(TRUSTED, min_size=1, max_size=4)
FRAGMENT = st.sampled_from(
    [
        *'",;=\\[]%: \t\x00\r\n',
        "for=",
        "For=",
        "by=",
        "for=_x",
        "unknown",
        "::1",
        "::ffff:10.0.0.1",
        "1.2.3.4",
        "é",
    ]
)
JUNK = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(FRAGMENT, ADDRESS.map(str)), max_size=24).map("".join),
    st.lists(ADDRESS.map(str), max_size=40).map(", ".join),
)


def fold(address: Address) -> Address:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def trusts(networks: list[Network], address: Address) -> bool:
    return any(fold(address) in network for network in networks)


def inside(network: Network, number: int) -> Address:
    return network[number % network.num_addresses]


def ask(peer: Address | str, networks: list[Network], x_forwarded_for: str = "", forwarded: str = "") -> str:
    meta = {"REMOTE_ADDR": str(peer), "HTTP_X_FORWARDED_FOR": x_forwarded_for, "HTTP_FORWARDED": forwarded}
    answer = client_address(meta, networks)
    assert answer == str(fold(ip_address(answer))), "in one form only"
    return answer


def written(address: Address, form: int) -> str:
    """An address as one proxy or another writes it: bare, with a port, mapped into IPv6."""
    if isinstance(address, IPv4Address):
        return [str(address), f"{address}:443", f"::ffff:{address}", f"[::ffff:{address}]:80"][form % 4]
    return [str(address), f"[{address}]", f"[{address}]:443", address.exploded.upper()][form % 4]


@given(peer=st.one_of(ADDRESS.map(str), JUNK), networks=NETWORKS, field=JUNK, other=JUNK)
def test_nothing_raises_and_an_untrusted_peer_is_itself(
    peer: str, networks: list[Network], field: str, other: str
) -> None:
    answer = ask(peer, networks, field, other)
    alone = ask(peer, [])
    if not trusts(networks, ip_address(alone)):
        assert answer == alone
    assert ask(peer, [], field, other) == alone


@given(
    networks=NETWORKS, numbers=st.lists(st.integers(0), min_size=1, max_size=5), client=ADDRESS,
    forged=JUNK, other=JUNK, form=st.integers(0, 3),
)  # fmt: skip
@example(
    networks=[ip_network("10.0.0.0/8")],
    numbers=[1],
    client=IPv4Address("1.2.3.4"),
    forged='"',
    other='"',
    form=0,
)
@example(
    networks=[ip_network("10.0.0.0/8")], numbers=[1, 2, 3], client=IPv4Address("1.2.3.4"),
    forged=", ".join(["9.9.9.9", *["10.1.1.1"] * 40]), other="", form=2,
)  # fmt: skip
def test_only_what_the_trusted_proxies_wrote_counts(
    networks: list[Network], numbers: list[int], client: Address, forged: str, other: str, form: int
) -> None:
    """The client invents the beginning of a field; each proxy appends whom it was asked by."""
    assume(not trusts(networks, client))
    proxies = [inside(networks[number % len(networks)], number) for number in numbers]
    assume(all(trusts(networks, proxy) for proxy in proxies))
    peer, asked_by = proxies[-1], [client, *proxies[:-1]]
    truth = str(fold(client))

    chain = ",".join([forged, *(written(hop, form + n) for n, hop in enumerate(asked_by))])
    assert ask(peer, networks, chain) == truth
    assert ask(peer, networks, chain.removeprefix(forged + ",")) == truth

    elements = ",".join(
        [forged, *(f'proto=https;for="{written(hop, form + n)}"' for n, hop in enumerate(asked_by))]
    )
    itself = str(fold(peer))
    assert ask(peer, networks, "", elements) in (truth, itself)
    assert ask(peer, networks, "", elements.removeprefix(forged + ",")) == truth
    assert ask(peer, networks, chain, elements) in (truth, itself)
    assert ask(peer, networks, chain, other) in (truth, itself), "a field that the proxy passes on unread"
    assert ask(peer, networks, other, elements) in (truth, itself)


@given(v4=V4, networks=NETWORKS, field=JUNK)
def test_mapped_address_is_the_address_it_maps(v4: IPv4Address, networks: list[Network], field: str) -> None:
    mapped = f"::ffff:{v4}"
    assert ask(mapped, networks, field) == ask(v4, networks, field)
    assert (source_key(mapped), wide_source_key(mapped)) == (str(v4), None)


@given(one=V6, other=V6, low=st.integers(0, 2**64 - 1), middle=st.integers(0, 2**80 - 1))
def test_ipv6_sources_are_64_and_48_networks(
    one: IPv6Address, other: IPv6Address, low: int, middle: int
) -> None:
    assume(not one.ipv4_mapped and not other.ipv4_mapped)
    neighbour = IPv6Address(int(one) >> 64 << 64 | low)
    cousin = IPv6Address(int(one) >> 80 << 80 | middle)
    assume(not neighbour.ipv4_mapped and not cousin.ipv4_mapped)
    assert source_key(str(one)) == source_key(str(neighbour))
    assert wide_source_key(str(one)) == wide_source_key(str(cousin))
    for key, bits in ((source_key, 64), (wide_source_key, 48)):
        network = ipaddress.IPv6Network(key(str(one)) or "")
        assert network.prefixlen == bits
        assert one in network
        assert (key(str(one)) == key(str(other))) == (other in network)
