"""From what a use case says to the row that is stored: checked, stamped, and with personal data split off.

An event's time is the time inside its UUIDv7, so that ids and times sort alike and each tells the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import uuid_utils

from audit.canonical import commit, encode, new_salts
from audit.events import EventType, Outcome, Reason, Severity, Source, default_severity
from audit.validation import OPAQUE_ID, UnknownDetail, check_details, check_text, rfc3339, storable

PERSONAL_FIELDS: Final = ("user", "subject", "ip", "user_agent", "foreign_request_id")
_REQUEST_ID_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What a use case reports.

    `user` is the account the event is about, `subject` the keyed digest of the typed identifier where none
    matched, `details` what `audit.details` knows for the type, `text` free text by `Text` name: personal
    data.
    """

    type: EventType
    outcome: Outcome
    source: Source
    reason: Reason | str = Reason.NONE
    severity: Severity | None = None
    user: str = ""
    subject: str = ""
    session: str = ""
    details: object = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One event with its personal data, as stored; `salts` are base64 by field, for free text `text.NAME`."""

    id: str
    time: datetime
    type: str
    outcome: str
    reason: str
    severity: str
    session: str
    request_id: str
    details: dict[str, Any]
    commitments: dict[str, str]
    user: str = ""
    subject: str = ""
    ip: str = ""
    user_agent: str = ""
    foreign_request_id: str = ""
    text: dict[str, str] = field(default_factory=dict)
    salts: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The event as clients, exports and log lines show it; what was erased is empty."""
        return {
            "id": self.id,
            "time": rfc3339(self.time),
            "type": self.type,
            "outcome": self.outcome,
            "reason": self.reason,
            "severity": self.severity,
            "user": self.user,
            "subject": self.subject,
            "session": self.session,
            "source": {"ip": self.ip, "user_agent": self.user_agent, "request_id": self.request_id},
            "details": {**self.details, **self.text},
        }

    def personal_values(self) -> dict[str, str]:
        """What the commitments commit to, by field."""
        fixed = {name: value for name in PERSONAL_FIELDS if (value := getattr(self, name))}
        return fixed | {f"text.{name}": value for name, value in self.text.items()}


def prepare(event: NewEvent) -> Record:
    """Check an event against the vocabulary and give it id, time, salts and commitments.

    Raises:
        UnknownDetail: the program says something that the vocabulary does not know.
    """
    number = uuid_utils.uuid7()
    source = event.source
    personal = {
        "user": _opaque("user", event.user),
        "subject": _opaque("subject", event.subject),
        "ip": storable(source.ip, 45),
        "user_agent": storable(source.user_agent, 512),
        "foreign_request_id": storable(source.foreign_request_id, 128),
    }
    text = check_text(event.text)
    values = {name: value for name, value in personal.items() if value}
    values |= {f"text.{name}": value for name, value in text.items()}
    salts = dict(zip(values, new_salts(len(values)), strict=True))
    return Record(
        str(number),
        datetime.fromtimestamp(number.timestamp / 1000, UTC),
        _member(EventType, event.type),
        _member(Outcome, event.outcome),
        _member(Reason, event.reason),
        _member(Severity, event.severity or default_severity(event.type, event.outcome)),
        _opaque("session", event.session),
        _request_id(source.request_id),
        check_details(event.type, event.details),
        {name: commit(salts[name], name, value) for name, value in values.items()},
        **personal,
        text=text,
        salts={name: encode(salt) for name, salt in salts.items()},
    )


def _opaque(name: str, value: str) -> str:
    if value and not OPAQUE_ID.fullmatch(value):
        raise UnknownDetail(f"{name}: not an opaque id")
    return value


def _request_id(value: str) -> str:
    if len(value) > 128 or not _REQUEST_ID_CHARACTERS.issuperset(value):
        raise UnknownDetail("request_id: not one of ours")
    return value


def _member(vocabulary: type[EventType | Outcome | Reason | Severity], value: str) -> str:
    if value not in vocabulary._value2member_map_:
        raise UnknownDetail(f"not one of {vocabulary.__name__}")
    return str(value)
