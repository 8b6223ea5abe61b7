"""A User-Agent in words that a person understands: "Firefox 143 on Windows".

The string is whatever the client says. It is matched by finite automata, in time linear in its length, so that no
string is slow (backtracking matchers of the same rules were, GHSA-cmcx-xhr8-3w9p). What comes out holds ASCII letters,
digits, blanks and hyphens only, and dots between digits: no line break, no address and no link.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ua_parser import UserAgent

UNKNOWN = "Unknown device"
UNKNOWN_PROGRAM = "Unknown browser"
LONGEST_NAME = 32
SYSTEMS = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
APPLE_DEVICES = frozenset({"iPhone", "iPad", "iPod"})  # other models are free text
# RFC 9110 section 10.1.5: a program names itself first. Browsers all say Mozilla there.
PRODUCT = re.compile(
    r"(?!Mozilla/)([A-Za-z][A-Za-z0-9-]{1,31})/([0-9]{1,4})(?:\.([0-9]{1,4}))?(?![A-Za-z0-9])"
)
PLATFORM_WORDS = re.compile(r"\b(?:Mobile|iOS)\b")
UNSAFE = re.compile(r"[^A-Za-z0-9 -]+")
NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True)
class Agent:
    """`words` for people, and their parts; `kind` is the same without versions, so that it outlives an update."""

    words: str
    kind: str
    program: str = ""
    system: str = ""  # empty too where the program is its namesake


@lru_cache(maxsize=2048)
def describe_agent(user_agent: str) -> Agent:
    """What a User-Agent says of itself; the first call of a process compiles the rules, half a second."""
    from ua_parser import parser  # most commands describe nobody

    found = parser.parse(user_agent)
    system = _name(SYSTEMS.get(found.os.family, found.os.family)) if found.os else ""
    if found.device and found.device.family in APPLE_DEVICES:
        system = found.device.family
    name, versions = _program(found.user_agent, user_agent)
    if not name and not system:
        return Agent(UNKNOWN, UNKNOWN)
    version = ".".join(versions[:1] if system else versions)
    name = name or UNKNOWN_PROGRAM
    program, system = f"{name} {version}".rstrip(), "" if system == name else system
    place = f" on {system}" if system else ""
    return Agent(program + place, name + place, program, system)


def _program(browser: "UserAgent | None", user_agent: str) -> tuple[str, list[str]]:
    """Its name, and major and minor version as far as they are numbers."""
    product = PRODUCT.match(user_agent)
    if browser:
        name, parts = PLATFORM_WORDS.sub(" ", browser.family), (browser.major, browser.minor)
    elif product:
        name, parts = product[1], (product[2], product[3])
    else:
        return "", []
    major, minor = (part if part and NUMBER.fullmatch(part) else "" for part in parts)
    return _name(name), [part for part in (major, major and minor) if part]


def _name(text: str) -> str:
    return " ".join(UNSAFE.sub(" ", text).split())[:LONGEST_NAME].rstrip()
