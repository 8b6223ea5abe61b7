"""What a reader may ask of the log, and the cursors that lead from page to page.

Unknown filters and bad values are refused by name: whoever mistypes a filter must not read "nothing found".
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from ipaddress import ip_address
from typing import Any, Final

from audit.events import EventType, Outcome, Reason, Severity
from audit.validation import OPAQUE_ID

MAX_TERMS, MAX_QUERY_LENGTH = 5, 200
DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_EVENT_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I | re.ASCII)
_POSITION: Final = re.compile(r"([<>]=?)([0-9a-f-]{36}|~)")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_MOMENT: Final = re.compile(  # RFC 3339 section 5.6; the seconds may be left out
    r"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.I,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class BadFilter(ValueError):
    """A filter, cursor or limit that cannot be understood; `field` names it, the message explains it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Filters:
    """A parsed question: equal columns, a range of event ids `[lowest, beyond)`, and words to be found."""

    equal: dict[str, str]
    lowest: str
    beyond: str
    terms: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What stands in the text of each event that matches, as far as the text index knows it."""
        return (*self.terms, *filter(None, [self.equal.get("reason")]))

    @property
    def narrows(self) -> bool:
        """Whether it asks for anything but a range of ids."""
        return bool(self.equal or self.terms)


def parse_filters(given: Mapping[str, str]) -> Filters:
    """Parse filters as they come from a query string.

    Raises:
        BadFilter: an unknown filter, or a value that it cannot have.
    """
    equal, lowest, beyond, terms = {}, "", "", ()
    for name, value in given.items():
        if name not in _PARSERS:
            raise BadFilter(name, "unknown filter")
        try:
            parsed = _PARSERS[name](value)
        except (ValueError, OverflowError) as error:
            raise BadFilter(name, str(error)) from error
        if name == "since":
            lowest = id_prefix(parsed)
        elif name == "until":
            beyond = id_prefix(parsed)
        elif name == "q":
            terms = parsed
        else:
            equal[name] = parsed
    return Filters(equal, lowest, beyond, terms)


def parse_bound(name: str, value: str) -> int:
    """A value of `since` or `until` in Unix milliseconds: the first one in, or the first one out.

    Raises:
        BadFilter: it is no moment.
    """
    try:
        return int(_PARSERS[name](value))
    except (ValueError, OverflowError) as error:
        raise BadFilter(name, str(error)) from error


def parse_limit(value: int | str) -> int:
    """A page's length, 1 to MAX_LIMIT.

    Raises:
        BadFilter: anything else.
    """
    if not re.fullmatch(r"[0-9]{1,4}", str(value)) or not 1 <= int(value) <= MAX_LIMIT:
        raise BadFilter("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(value)


def id_prefix(milliseconds: int) -> str:
    """The beginning shared by the ids of one millisecond; it sorts before them and after all earlier ids."""
    digits = f"{min(max(milliseconds, 0), 2**48 - 1):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def write_cursor(comparison: str, event_id: str) -> str:
    """An opaque cursor to what is `<`, `<=`, `>` or `>=` an id."""
    return base64.urlsafe_b64encode(f"{comparison}{event_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[str, str]:
    """The comparison and the id of a cursor.

    Raises:
        BadFilter: it is none of ours.
    """
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = _POSITION.fullmatch(text)
    if not found:
        raise BadFilter("cursor", "not a cursor of this service")
    return found[1], found[2]


def is_event_id(value: str) -> bool:
    """Whether it looks like an event's id: a UUIDv7 in lower case."""
    return bool(_EVENT_ID.fullmatch(value))


def _member(vocabulary: type[StrEnum], value: str) -> str:
    if not value or value not in vocabulary._value2member_map_:
        raise ValueError("must be one of: " + ", ".join(filter(None, vocabulary)))
    return value


def _matching(pattern: re.Pattern[str], what: str, value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"must be {what}")
    return value


def _id(value: str) -> str:
    """An opaque id; a UUID, which people may write in capitals, as the log has it (RFC 9562 section 4)."""
    _matching(OPAQUE_ID, "an id", value)
    return value.lower() if _UUID.fullmatch(value) else value


def _address(value: str) -> str:
    try:
        address = ip_address(value)
        # As the log has it: of the zone (fe80::1%eth0), which counts on one machine only, nothing.
        return str(getattr(address, "ipv4_mapped", None) or type(address)(int(address)))
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address") from None


def _since(value: str) -> int:
    """The first millisecond at or after the moment."""
    moment, _ = _moment(value)
    return -((_EPOCH - moment) // timedelta(milliseconds=1))


def _until(value: str) -> int:
    """The first millisecond after the moment, or after the day."""
    moment, is_day = _moment(value)
    if is_day:
        moment += timedelta(days=1, milliseconds=-1)
    return (moment - _EPOCH) // timedelta(milliseconds=1) + 1


def _moment(value: str) -> tuple[datetime, bool]:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC), True
        moment = datetime.fromisoformat(value.upper()) if _MOMENT.fullmatch(value) else None
    except ValueError:
        moment = None
    if moment is None:  # what else Python reads, such as weeks, is not the same in each of its versions
        raise ValueError("must be an RFC 3339 time with an offset, or a date")
    return moment.astimezone(UTC), False


def _terms(value: str) -> tuple[str, ...]:
    terms = tuple(value.split())
    if len(value) > MAX_QUERY_LENGTH or len(terms) > MAX_TERMS or not value.isprintable():
        raise ValueError(f"must be at most {MAX_TERMS} words and {MAX_QUERY_LENGTH} printable characters")
    return terms


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "type": partial(_member, EventType),
    "outcome": partial(_member, Outcome),
    "reason": partial(_member, Reason),
    "severity": partial(_member, Severity),
    "user": _id,
    "session": _id,
    "request_id": partial(_matching, _REQUEST_ID, "1 to 128 of A-Z a-z 0-9 . _ -"),
    "ip": _address,
    "since": _since,
    "until": _until,
    "q": _terms,
}
FILTERS: Final = tuple(_PARSERS)
