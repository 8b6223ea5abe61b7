"""Checks an event's details and free text against the closed vocabulary before anything is written.

A refusal is a mistake in the program: `UnknownDetail`, a TypeError, never an answer to a client. Values come
out as JSON has them: enums as their strings, moments in RFC 3339 UTC, tuples as lists; None is left out.
"""

import dataclasses
import re
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from typing import Any, Union, get_args, get_origin, get_type_hints

from audit.details import Id, Ids, Note, Origin
from audit.details_of import DETAILS
from audit.events import EventType
from audit.vocabulary import Text

OPAQUE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ORIGIN = re.compile(r"[!-*,-~]{1,200}")  # C2SP signed-note: no blanks, no plus
_NOTE = re.compile(r"[\n -~\u2014]{1,16000}")
MAX_TEXT_LENGTH = 1000
MAX_IDS = 1000
MAX_INTEGER = 2**53 - 1  # what every JSON reader keeps exactly (RFC 8785 section 3.2.2.3)
_JWT = re.compile(r"eyJ[\w-]*\.[\w.-]*")
_TEXTS = frozenset(Text)
Check = Callable[[Any], Any]


class UnknownDetail(TypeError):
    """A detail that the vocabulary of its event type does not know, or of another type, or missing."""


def check_details(type_: EventType, details: object) -> dict[str, Any]:
    """Return the details as JSON values, without those that are None.

    `details` is a mapping, or an instance of the dataclass that belongs to the type.

    Raises:
        UnknownDetail: an unknown name, a wrong value, a missing name, or the dataclass of another type.
    """
    given = _as_mapping(type_, details)
    checks, required = _rules(type_)
    try:
        found = {name: checks[name](value) for name, value in given.items() if value is not None}
    except KeyError as error:
        raise UnknownDetail(f"details of {type_}: no {error}") from None
    except ValueError as error:
        raise UnknownDetail(f"details of {type_}: {error}") from None
    if missing := required - found.keys():
        raise UnknownDetail(f"details of {type_}: missing {sorted(missing)}")
    return found


def check_text(text: Mapping[str, str]) -> dict[str, str]:
    """Return the free text with storable characters, cut at MAX_TEXT_LENGTH; empty ones are left out.

    Raises:
        UnknownDetail: a name outside `Text`, or a value that is not a string.
    """
    found = {}
    for name, value in text.items():
        if not isinstance(value, str):
            raise UnknownDetail(f"text {name}: not a string")
        if name not in _TEXTS:
            raise UnknownDetail(f"text {name}: not one of Text")
        found[str(name)] = storable(value, MAX_TEXT_LENGTH)
    return {name: value for name, value in found.items() if value}


def storable(value: str, length: int) -> str:
    """The value cut to `length`, without what a database cannot hold (NUL, lone surrogates) and without JWTs.

    A client may send a token where none belongs, such as in its user agent; the log is no place for it.
    """
    value = value[:length]
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    value = value.replace("\0", "\ufffd")
    return _JWT.sub("[redacted]", value)[:length] if "eyJ" in value else value


def check_id(value: Any) -> str:
    """Return an opaque id.

    Raises:
        ValueError: anything else, such as an address, a name or a JWT (it has dots).
    """
    if not isinstance(value, str) or not OPAQUE_ID.fullmatch(value):
        raise ValueError("not an opaque id")
    return value


def _as_mapping(type_: EventType, details: object) -> Mapping[str, Any]:
    if isinstance(details, Mapping):
        return details
    if type(details) is not DETAILS[type_]:
        raise UnknownDetail(f"details of {type_}: {type(details).__name__} is not {DETAILS[type_].__name__}")
    return {name: getattr(details, name) for name in _rules(type_)[0]}


@cache
def _rules(type_: EventType) -> tuple[dict[str, Check], frozenset[str]]:
    """The check of each detail, and the names that must be there."""
    model = DETAILS[type_]
    hints = get_type_hints(model)
    fields = dataclasses.fields(model)
    checks = {field.name: _check_of(hints[field.name]) for field in fields}
    return checks, frozenset(field.name for field in fields if field.default is dataclasses.MISSING)


def _check_of(hint: Any) -> Check:
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is tuple:
        return partial(_many, _check_of(get_args(hint)[0]))
    known: dict[Any, Check] = {
        Id: check_id,
        Ids: partial(_many, check_id, most=MAX_IDS),
        Note: partial(_matching, _NOTE, "a signed note"),
        Origin: partial(_matching, ORIGIN, "an origin"),
        int: _integer,
        bool: _boolean,
        datetime: _moment,
    }
    return known[hint] if hint in known else partial(_member, hint)


def _member(vocabulary: type[StrEnum], value: Any) -> str:
    # the value itself is never named: a secret given by mistake must not end in a log
    if not isinstance(value, str) or value not in vocabulary._value2member_map_:
        raise ValueError(f"not one of {vocabulary.__name__}")
    return vocabulary(value).value


def _matching(pattern: re.Pattern[str], what: str, value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"not {what}")
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise ValueError("not a whole number of at most 53 bits")
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("not a boolean")
    return value


def _moment(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("not an aware moment")
    return rfc3339(value)


def _many(check: Check, values: Any, most: int = 16) -> list[Any]:
    if not isinstance(values, list | tuple) or len(values) > most:
        raise ValueError(f"not a list of at most {most}")
    return [check(value) for value in values]


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
