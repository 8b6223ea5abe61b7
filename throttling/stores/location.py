"""Where Redis or Valkey is: one server, a master that Sentinels name, or a cluster.

``redis://[user:password@]host[:port][/number]``, ``redis+sentinel://…@host[:port],host[:port]/service[/number]``,
``redis+cluster://…@host[:port],host[:port]``; ``rediss`` instead of ``redis`` is TLS. Options after ``?``:
``ssl_ca_certs`` (a file), ``sentinel_username``, ``sentinel_password``.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PORTS = {"single": 6379, "sentinel": 26379, "cluster": 6379}
OPTIONS = frozenset({"ssl_ca_certs", "sentinel_username", "sentinel_password"})


@dataclass(frozen=True)
class Location:
    """A parsed REDIS_URL. `kind`: single, sentinel or cluster; `service`: the master's name at the Sentinels."""

    kind: str
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    database: int = 0
    service: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    options: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def credentials(self) -> dict[str, Any]:
        """What a connection to a data server needs beside its address."""
        found: dict[str, Any] = {"username": self.username or None, "password": self.password or None}
        return {**found, **self.transport}

    @property
    def transport(self) -> dict[str, Any]:
        """TLS, with the name in the certificate checked."""
        if not self.tls:
            return {}
        found: dict[str, Any] = {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
        authorities = self.options.get("ssl_ca_certs")
        return {**found, "ssl_ca_certs": authorities} if authorities else found


def parse_location(url: str) -> Location:
    """Read a REDIS_URL. Raises ValueError, which never repeats the URL: it may hold a password."""
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    kind = kind or "single"
    options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    credentials, _, places = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    hosts = tuple(_host(place, PORTS.get(kind, 0)) for place in places.split(","))
    path = [part for part in parts.path.split("/") if part]
    service = path.pop(0) if kind == "sentinel" and path else ""
    number = path.pop(0) if kind != "cluster" and path else "0"
    is_wrong = (
        scheme not in ("redis", "rediss")
        or kind not in PORTS
        or (kind == "single" and len(hosts) != 1)
        or (kind == "sentinel" and not service)
        or not OPTIONS.issuperset(options)
    )
    if is_wrong or path or parts.fragment or not (number.isascii() and number.isdigit()):
        raise ValueError("not the address of a Redis, of Sentinels or of a cluster")
    return Location(
        kind, hosts, scheme == "rediss", int(number), service, unquote(username), unquote(password), options
    )


def _host(place: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or port
