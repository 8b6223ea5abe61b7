"""Where a request comes from.

Promises: only headers set by a peer inside the trusted networks count; the answer is the right-most hop
that is not itself trusted. Refuses everything else: a forwarded address from an untrusted peer is ignored,
reading stops at the first hop that is no address, and when ``Forwarded`` and ``X-Forwarded-For`` disagree
neither is believed, since a proxy that writes one passes the other through unread.
Source: RFC 7239 sections 4 to 7; RFC 4291 section 2.5.5.2 (IPv4-mapped addresses).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNKNOWN = IPv4Address("0.0.0.0")  # noqa: S104
MAX_HOPS = 32
MOST_FORWARDED = 4096  # characters of Forwarded that are read: more than MAX_HOPS hops take
# A piece of Forwarded: a quoted string, in which commas are data; what has no quotes; a comma. Each character fits one
# of them in one way, so nothing is tried twice. No possessive quantifiers: Python before 3.11.5 gets nested ones wrong.
PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[^",]+|,')
FOR = re.compile(r'(?:^|;)\s*for=(?:"(?P<quoted>[^"\\]*)"|(?P<token>[^\s";,]+))\s*(?=;|$)', re.I)


def client_address(meta: Mapping[str, str], trusted: Iterable[Network]) -> str:
    """Return the client's address in canonical form; ``0.0.0.0`` where the peer has none (a Unix socket).

    ``meta`` is a WSGI environment. Never raises, whatever the headers hold.
    """
    networks = tuple(trusted)
    peer = _parse(meta.get("REMOTE_ADDR", "")) or UNKNOWN
    if not _is_trusted(peer, networks):
        return str(peer)
    found = {_first_untrusted(peer, hops, networks) for hops in _chains(meta)}
    return str(found.pop() if len(found) == 1 else peer)


def is_trusted_peer(meta: Mapping[str, str], trusted: Iterable[Network]) -> bool:
    """Tell whether the connection itself comes from a trusted proxy."""
    peer = _parse(meta.get("REMOTE_ADDR", ""))
    return peer is not None and _is_trusted(peer, tuple(trusted))


def source_key(ip: str) -> str:
    """Return what limits count a source by: the IPv4 address, or the IPv6 /64."""
    return _network_key(ip, 64) or str(_parse(ip) or UNKNOWN)


def source_owner(ip: str) -> str:
    """Return the owner of a source's limits."""
    return f"source:{source_key(ip)}"


def wide_source_key(ip: str) -> str | None:
    """Return the IPv6 /48, or None for IPv4."""
    return _network_key(ip, 48)


def _network_key(ip: str, prefix: int) -> str | None:
    address = _parse(ip)
    if not isinstance(address, IPv6Address):
        return None
    return str(ip_network((address, prefix), strict=False))


def _first_untrusted(peer: Address, hops: list[str], networks: tuple[Network, ...]) -> Address:
    address = peer
    for hop in reversed(hops[-MAX_HOPS:]):
        if not _is_trusted(address, networks):
            break
        parsed = _parse(hop)
        if parsed is None:
            break
        address = parsed
    return address


def _chains(meta: Mapping[str, str]) -> list[list[str]]:
    chains = []
    if x_forwarded_for := meta.get("HTTP_X_FORWARDED_FOR", ""):
        chains.append(x_forwarded_for.split(","))
    if forwarded := meta.get("HTTP_FORWARDED", ""):
        chains.append([_forwarded_for(element) for element in _elements(forwarded)])
    return chains


def _elements(forwarded: str) -> list[str]:
    """The elements of a Forwarded header; one empty element, which is no address, where it cannot be read whole.

    A quote left open by the client would swallow the element that the proxy appends.
    """
    if len(forwarded) > MOST_FORWARDED:
        return [""]
    elements, end = [""], 0
    for piece in PIECE.finditer(forwarded):
        if piece.start() != end:
            return [""]
        end = piece.end()
        if piece[0] == ",":
            elements.append("")
        else:
            elements[-1] += piece[0]
    return [element for element in elements if element] if end == len(forwarded) else [""]


def _forwarded_for(element: str) -> str:
    found = list(FOR.finditer(element.strip()))
    return (found[0]["quoted"] or found[0]["token"] or "") if len(found) == 1 else ""


def _is_trusted(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


@lru_cache(maxsize=4096)  # each request asks for the same address several times
def _parse(text: str) -> Address | None:
    """Read ``1.2.3.4``, ``1.2.3.4:80``, ``::1``, ``[::1]`` or ``[::1]:80``; fold IPv4-mapped; drop a zone."""
    text = text.strip()
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::[0-9]{1,5})?", text)
    with_port = re.fullmatch(r"([0-9.]+):[0-9]{1,5}", text)
    host = bracketed[1] if bracketed else with_port[1] if with_port else text
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
