"""Environment variables, read and typed in one place.

Promises that every value that settings.py holds was parsed here or refused with one line that names its variable.
A refusal is an ImproperlyConfigured, which manage.py prints without a traceback. Values are never repeated in it:
the variable may hold a secret.
"""

import base64
import ipaddress
import os
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from throttling.stores.location import parse_location

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
MASTER_KEY_BYTES = 32
PORTS = {"http": 80, "https": 443}
WRITTEN_ORIGIN = re.compile(r"[a-zA-Z]+://[a-zA-Z0-9._:\[\]-]*(?<!:)")
MOST_LETTERS = 64
MOST_DIGITS = 20  # of thousands of them Python makes no number

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def refuse(name: str, why: str) -> ImproperlyConfigured:
    """The error for a variable that is missing, malformed or too weak."""
    return ImproperlyConfigured(f"{name} {why}")


def text(name: str, default: str = "") -> str:
    """A string, blanks around it removed; empty counts as unset. Bytes that are no text would fail at their use."""
    value = os.environ.get(name, "").strip()
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise refuse(name, "must be text in UTF-8") from error
    return value or default


def path(name: str, default: Path) -> Path:
    """A path, absolute, in which ~ is a home."""
    try:
        return Path(text(name, str(default))).expanduser().resolve()
    except (RuntimeError, OSError) as error:  # nobody of this name; links that go round in a circle
        raise refuse(name, "must be a path that leads somewhere") from error


def host(name: str, default: str) -> str:
    """A name or an address to listen on, an IPv6 one without brackets."""
    value = text(name, default)
    if not re.fullmatch(r"[A-Za-z0-9._:%-]{1,255}", value):
        raise refuse(name, "must be a host name or an address, without scheme and brackets")
    return value


def title(name: str, default: str) -> str:
    """A name that mails, pages and authenticator apps show; of a colon these make two (the Key Uri Format)."""
    value = text(name, default)
    if len(value) > MOST_LETTERS or not value.isprintable() or ":" in value:
        raise refuse(name, f"must be at most {MOST_LETTERS} printable characters without a colon")
    return value


def hand_down(name: str, value: str) -> None:
    """Set a variable for the processes that this one starts."""
    os.environ[name] = value


def secret(name: str, *, least: int) -> str:
    """A token that somebody else sends: at least so many visible ASCII characters, as a header can carry them."""
    value = text(name)
    if value and (len(value) < least or not all("!" <= character <= "~" for character in value)):
        raise refuse(name, f"must be at least {least} visible ASCII characters without blanks")
    return value


def integer(name: str, default: int, *, least: int = 1, most: int = 2**31 - 1) -> int:
    """A whole number between `least` and `most`."""
    value = text(name)
    if not value:
        return default
    is_number = value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS
    if not is_number or not least <= int(value) <= most:
        raise refuse(name, f"must be a whole number from {least} to {most}")
    return int(value)


def flag(name: str, default: bool = False) -> bool:
    """true or false."""
    value = text(name).lower()
    if value not in ("", "true", "false"):
        raise refuse(name, "must be true or false")
    return value == "true" if value else default


def demand_usable_proxies() -> None:
    """Refuse a proxy of the environment that our HTTP client would fail to speak to, at each use, with an error.

    It reads the same variables. One without a scheme is http to it.
    """
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for written in (name, name.upper()):
            scheme, is_url, _ = text(written).partition("://")
            if is_url and scheme.lower() not in ("http", "https"):
                raise refuse(
                    written, "must begin with http:// or https:// where a range API or witnesses are asked"
                )


def words(name: str) -> tuple[str, ...]:
    """A list divided by commas or blanks."""
    return tuple(text(name).replace(",", " ").split())


def hosts(name: str) -> tuple[str, ...]:
    """A list of host names as Django's ALLOWED_HOSTS takes them; with a port it would let none in."""
    found = words(name)
    if any("/" in word or ":" in re.sub(r"^\[[^]]*]$", "", word) for word in found):
        raise refuse(name, "must be host names without scheme, port or path")
    return found


def contact(name: str, default: str) -> str:
    """A contact of RFC 9116 section 2.5.3: a URI."""
    value = text(name, default)
    if not value.startswith(("mailto:", "https://", "tel:")):
        raise refuse(name, "must begin with mailto:, https:// or tel:")
    return value


def networks(name: str) -> tuple[Network, ...]:
    """A list of networks in CIDR notation; a bare address is a network of one.

    Of IPv4-mapped ones, as servers that listen on both write them, the IPv4 network: so addresses are compared.
    """
    try:
        found = tuple(_unmapped(ipaddress.ip_network(word)) for word in words(name))
    except ValueError as error:
        raise refuse(name, "must be a list of networks in CIDR notation") from error
    if any(network.prefixlen == 0 for network in found):
        raise refuse(name, "must not trust every address: anyone could then claim any source")
    return found


def _unmapped(network: Network) -> Network:
    mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
    return (
        ipaddress.ip_network((mapped, network.prefixlen - 96))
        if mapped and network.prefixlen >= 96
        else network
    )


def origin(name: str, default: str) -> str:
    """scheme://host[:port], without a path (RFC 6454). Django answers 400 to each request whose Host has a `_`."""
    value = _parse_origin(name, text(name, default))
    if "_" in value:
        raise refuse(name, "must name a host without underscores")
    return value


def origins(name: str, *, plain: bool) -> tuple[str, ...]:
    """A list of origins by commas or blanks, as browsers write them: https or a loopback name, or any if `plain`."""
    found = tuple(serialized_origin(_parse_origin(name, word)) for word in words(name))
    if not plain and any(not one.startswith("https://") and not is_loopback(one) for one in found):
        raise refuse(name, "must be origins that begin with https://")
    return found


def _parse_origin(name: str, given: str) -> str:
    value = given.rstrip("/")
    try:
        parts = urlsplit(value)
        bare = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        bare = bare and not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        bare = False
    if not bare or not WRITTEN_ORIGIN.fullmatch(
        value
    ):  # no pattern: origins are compared, nothing is matched
        raise refuse(name, "must be an origin such as https://auth.example.com")
    return value


def serialized_origin(origin: str) -> str:
    """An origin as browsers write it: lower case, without the scheme's own port (HTML, section Origin)."""
    parts = urlsplit(origin.lower())
    host = parts.netloc.removesuffix(f":{PORTS[parts.scheme]}")
    return f"{parts.scheme}://{host}"


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def master_key(name: str) -> bytes | None:
    """32 bytes as base64 or hexadecimal; None when unset."""
    value = text(name)
    try:
        return parse_master_key(value) if value else None
    except ValueError as error:
        raise refuse(name, "must be 32 random bytes in base64 or hexadecimal") from error


def parse_master_key(value: str) -> bytes:
    """The key of its text.

    Raises:
        ValueError: not 32 random bytes in base64 or hexadecimal.
    """
    is_hexadecimal = len(value) == 2 * MASTER_KEY_BYTES
    key = bytes.fromhex(value) if is_hexadecimal else base64.b64decode(value, validate=True)
    if len(key) != MASTER_KEY_BYTES or len(set(key)) < 8:
        raise ValueError("not 32 random bytes")
    return key


def command(name: str) -> list[str]:
    """A program and its arguments, divided as a shell divides them; no shell runs."""
    try:
        return shlex.split(text(name))
    except ValueError as error:
        raise refuse(name, "must be a program and its arguments") from error


# A database that does not even refuse counts as away before who waits for it gives up. One that vanished with its
# machine is given up when nothing was heard of it for ten seconds: the kernel would wait for a quarter of an hour.
KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
DATABASE_PATIENCE = {"connect_timeout": 4, "tcp_user_timeout": 10_000, **KEEPALIVES}


def database(name: str, data_dir: Path, pool_size: int) -> dict[str, object]:
    """Django's database settings: PostgreSQL behind psycopg's pool, or SQLite in WAL mode.

    SQLite transactions begin IMMEDIATE: a transaction that reads first and writes later would fail with
    "database is locked" at once when another process wrote in between, whatever the time-out.
    synchronous=FULL: a revoked session must not come back after a power cut. secure_delete: what is erased is
    overwritten, whatever the default of this SQLite is.
    """
    value = text(name)
    if not value:
        return {
            "ENGINE": "secure_auth.sqlite",
            "NAME": data_dir / "secure_auth.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                "PRAGMA secure_delete=ON;",
            },
        }
    if value.partition(":")[0].lower() not in ("postgres", "postgresql"):
        raise refuse(name, "must begin with postgres://")
    try:
        parsed = dict(dj_database_url.parse(value))
    except ValueError as error:
        raise refuse(name, "is not a database URL; a password's [ and / go by percent") from error
    if not parsed.get("NAME"):
        raise refuse(name, "must name the database: postgres://host/name")
    options = {"prepare_threshold": 5, **DATABASE_PATIENCE, **dict(parsed.get("OPTIONS") or {})}  # type: ignore[call-overload]
    if not isinstance(options["prepare_threshold"], int) or "isolation_level" in options:
        raise refuse(name, "takes a whole number as prepare_threshold, and no isolation_level")
    # What cannot be connected anew is given up soon: while it is tried, it takes the place of a connection.
    options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 5, "reconnect_timeout": 2}
    parsed["ENGINE"] = "secure_auth.postgresql"
    return {**parsed, "OPTIONS": options, "CONN_MAX_AGE": 0, "DISABLE_SERVER_SIDE_CURSORS": True}


def redis(name: str) -> str:
    """A Redis, the Sentinels that know one, or a cluster, as throttling.stores.location reads them."""
    value = text(name)
    try:
        if value:
            parse_location(value)
    except ValueError as error:
        raise refuse(
            name, "must be redis://, redis+sentinel:// or redis+cluster:// (or rediss), as README says"
        ) from error
    return value


def log_level(name: str) -> str:
    """One of logging's levels."""
    value = text(name, "INFO").upper()
    if value not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise refuse(name, "must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return value
