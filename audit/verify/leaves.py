"""An event's columns, from which its leaf is made again, and the openings of its commitments.

The innermost loop of verification: what can be looked up is, and nothing is parsed twice. All columns are text, as the
store that was read spells them.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from audit.verify.canonical import canonical, compact, parse, quote

Columns = Sequence[Any]
# The order in which every store gives them.
EVENT: Final = (
    "id", "time", "type", "outcome", "reason", "severity", "session", "request_id", "details", "commitments",
)  # fmt: skip
PERSONAL: Final = (
    "event", "user", "subject", "ip", "user_agent", "foreign_request_id", "text", "salts",
)  # fmt: skip
MAX_LEAF_BYTES: Final = 65_535
SALT_BYTES: Final = 16
_ENDS: Final = frozenset({"A==", "Q==", "g==", "w=="})  # of 16 bytes in base64, whose last four bits are zero
_FRACTIONS: Final = ("", *(f".{rest:03}".rstrip("0") for rest in range(1, 1000)))
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch


class Altered(ValueError):
    """An event, or its personal data, is not what it was."""


def milliseconds_of(event_id: str) -> int:
    """The Unix time in a UUIDv7 (RFC 9562 section 5.7).

    Raises:
        Altered: it is none.
    """
    if not _ID(event_id):
        raise Altered("its id is no UUIDv7")
    return int(event_id[:8] + event_id[9:13], 16)


@lru_cache(4096)
def _second(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        raise Altered("the time in its id is none that a calendar has") from None


@lru_cache(4096)
def _second_rfc3339(seconds: int) -> str:
    return _second(seconds).replace(" ", "T")


def spell_postgres(milliseconds: int) -> str:
    """A moment as PostgreSQL writes it in UTC: no zero ends the fraction."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}{_FRACTIONS[rest]}+00"


def spell_sqlite(milliseconds: int) -> str:
    """A moment as Django stores it in SQLite: six digits of fraction, or none."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03}000" if rest else _second(seconds)


def spell_rfc3339(milliseconds: int) -> str:
    """A moment as a leaf has it."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second_rfc3339(seconds)}.{rest:03}Z"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a store writes moments and JSON. `raw_json`: it keeps the text that the service gave it."""

    moment: Callable[[int], str]
    raw_json: bool

    def names(self, commitments: dict[str, str]) -> str:
        """The commitments as they are usually stored; another spelling of the same is judged the slow way."""
        if self.raw_json:
            return "{" + ",".join([f'"{name}":"{commitments[name]}"' for name in commitments]) + "}"
        ordered = _jsonb_order(tuple(commitments))
        return "{" + ", ".join([f'"{name}": "{commitments[name]}"' for name in ordered]) + "}"


@lru_cache(256)
def _jsonb_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """PostgreSQL keeps an object's names by length, then by bytes."""
    return tuple(sorted(names, key=lambda name: (len(name), name)))


POSTGRES: Final = Spelling(spell_postgres, raw_json=False)
SQLITE: Final = Spelling(spell_sqlite, raw_json=True)
EXPORT: Final = Spelling(spell_rfc3339, raw_json=True)


@lru_cache(4096)
def _quoted(text: str) -> str:
    return quote(text)


@lru_cache(256)
def _sorted_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names))


def rebuild(event: Columns, own: Columns | None, spelling: Spelling) -> tuple[bytes, bool]:
    """The leaf of an event, every commitment opened if its personal data is there; whether that is missing.

    Raises:
        Altered: a column holds what it never held, or a commitment does not open.
    """
    if own is None:
        committed = _object("commitments", event[9], spelling) if event[9] != "{}" else {}
        return _leaf(event, canonical(committed), spelling), bool(committed)
    opened = commit(own, spelling)
    if event[9] != spelling.names(opened):
        _compare(_object("commitments", event[9], spelling), opened)
    names = _sorted_names(tuple(opened))
    committed_text = ",".join([f'{_quoted(name)}:"{opened[name]}"' for name in names])
    return _leaf(event, f"{{{committed_text}}}", spelling), False


def _leaf(event: Columns, commitments: str, spelling: Spelling) -> bytes:
    id_, time, type_, outcome, reason, severity, session, request_id, details, _ = event
    for value in event:
        if value.__class__ is not str:
            raise Altered(f"its {EVENT[[*event].index(value)]} is no text")
    moment = milliseconds_of(id_)
    if time != spelling.moment(moment):
        raise Altered("its time is not the time in its id")
    if details != "{}":
        details = canonical(_object("details", details, spelling))
    text = (
        f'{{"commitments":{commitments},"details":{details},"id":"{id_}","outcome":{_quoted(outcome)}'
        f',"reason":{_quoted(reason)},"request_id":{quote(request_id)},"session":{quote(session)}'
        f',"severity":{_quoted(severity)},"time":"{spell_rfc3339(moment)}","type":{_quoted(type_)},"v":1}}'
    )
    try:
        leaf = text.encode()
    except UnicodeEncodeError:
        raise Altered("it holds half a character") from None
    if len(leaf) > MAX_LEAF_BYTES:
        raise Altered("it is longer than an entry can be")
    return leaf


def commit(own: Columns, spelling: Spelling) -> dict[str, str]:
    """The commitments that the values and salts of a row of personal data open.

    Raises:
        Altered: a value without a salt, a salt without a value, or no salt at all.
    """
    for value in own:
        if value.__class__ is not str:
            raise Altered(f"its personal data: {PERSONAL[[*own].index(value)]} is no text")
    _, user, subject, ip, user_agent, foreign_request_id, text, salted = own
    values = {}
    if user:
        values["user"] = user
    if subject:
        values["subject"] = subject
    if ip:
        values["ip"] = ip
    if user_agent:
        values["user_agent"] = user_agent
    if foreign_request_id:
        values["foreign_request_id"] = foreign_request_id
    if text != "{}":
        for name, value in _object("free texts", text, spelling).items():
            values[f"text.{name}"] = value
    salts = _object("salts", salted, spelling)
    if salts.keys() != values.keys():
        odd = ", ".join(sorted(salts.keys() ^ values.keys()))
        raise Altered(f"its personal data was altered: values and salts differ in {odd[:80]}")
    return {name: commitment(name, value, salts[name]) for name, value in values.items()}


def commitment(name: str, value: Any, salt: Any) -> str:
    """base64(SHA-256(salt || canonical JSON of {name: value})).

    Raises:
        Altered: the value is no text, or the salt is not the one spelling of 128 bits in base64.
    """
    try:
        raw = a2b_base64(salt)
        given = raw + f"{_BEGINNINGS.get(name) or _beginning(name)}{quote(value)}}}".encode()
    except (ValueError, TypeError):
        raise Altered(f"its personal data was altered: {name[:40]} has no value or no salt") from None
    if len(salt) != 24 or salt[21:] not in _ENDS or len(raw) != SALT_BYTES:
        raise Altered(f"its personal data was altered: the salt of {name[:40]} has not 128 bits")
    return b2a_base64(sha256(given).digest(), newline=False).decode()


@lru_cache(256)
def _beginning(name: str) -> str:
    return f"{{{quote(name)}:"


_BEGINNINGS: Final = {name: _beginning(name) for name in PERSONAL[1:6]}


def _compare(committed: dict[str, Any], opened: dict[str, str]) -> None:
    if committed == opened:
        return
    if committed.keys() != opened.keys():
        odd = ", ".join(sorted(committed.keys() ^ opened.keys()))
        raise Altered(f"its personal data and its commitments differ in {odd[:80]}")
    wrong = min(name for name, value in committed.items() if opened[name] != value)
    raise Altered(f"its personal data was altered: {wrong[:40]} does not open its commitment")


def _object(name: str, text: Any, spelling: Spelling) -> dict[str, Any]:
    if text.__class__ is not str:
        raise Altered(f"its {name} are no text")
    try:
        found = parse(text)
    except ValueError as error:
        raise Altered(f"its {name} are no JSON of a leaf: {error}") from None
    if not isinstance(found, dict):
        raise Altered(f"its {name} are no object")
    if spelling.raw_json and compact(found) != text:
        raise Altered(f"its {name} are not spelled as they were written")
    return found
