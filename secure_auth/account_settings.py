"""Who may make an account, and where passwords known from breaches are looked up: settings, read and typed."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from secure_auth import env

ORDERED_LINE = re.compile(rb"[0-9A-Fa-f]{40}:[0-9]+\r?\n")
FIRST_RANGE = "00000.txt"
OFF, API = "off", "api"


@dataclass(frozen=True)
class BreachedPasswords:
    """`path` names a file or a directory, `url` a range API; both empty: nothing is looked up."""

    path: Path | None = None
    url: str = ""


def breached_passwords(name: str, url_name: str, *, plain: bool) -> BreachedPasswords:
    """off, api, or the absolute path of an ordered file or of a directory of ranges.

    The API's URL is https, or http on a loopback name where `plain` allows it.
    """
    value, url = env.text(name, OFF), env.text(url_name, "https://api.pwnedpasswords.com/range/")
    if not _is_range_api(url, plain=plain):
        raise env.refuse(url_name, "must be an https URL without user, query and fragment")
    if value in (OFF, API):
        return BreachedPasswords(url=f"{url.rstrip('/')}/" if value == API else "")
    path = Path(value)
    if not path.is_absolute():
        raise env.refuse(name, "must be off, api or an absolute path")
    try:
        usable = (path / FIRST_RANGE).is_file() if path.is_dir() else ORDERED_LINE.match(_first_line(path))
    except OSError as error:
        raise env.refuse(name, f"names a path that cannot be read: {error.strerror}") from error
    if not usable:
        raise env.refuse(
            name, "must name a file of lines SHA1:COUNT ordered by hash, or a directory of ranges"
        )
    return BreachedPasswords(path=path)


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.readline(128)


def _is_range_api(url: str, *, plain: bool) -> bool:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and plain and env.is_loopback(url))
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    return usable and secure and bare and url.isascii() and url.isprintable()


def registration_mode(name: str) -> str:
    """Who may make an account: anybody, who was invited, or nobody."""
    value = env.text(name, "open")
    if value not in ("open", "invite", "closed"):
        raise env.refuse(name, "must be open, invite or closed")
    return value


def context_words(name: str) -> tuple[str, ...]:
    """Words that form no password by themselves, by commas or blanks."""
    return tuple(word.casefold() for word in env.words(name))
