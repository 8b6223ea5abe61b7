"""docs/audit-log.md says what the code does."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from audit.canonical import commit
from audit.details_of import DETAILS
from audit.events import EventType, Outcome, Reason, default_severity
from audit.models import Event, PersonalData
from audit.vocabulary import Text

PAGE = (Path(__file__).parents[3] / "docs" / "audit-log.md").read_text()
REQUIRED = {
    EventType.LIMIT_EXCEEDED: {"limit", "key", "count"},
    EventType.LIMIT_STORE: {"store"},
    EventType.KEY_CREATE: {"key_id", "purpose"},
    EventType.KEY_ROTATE: {"key_id", "purpose"},
    EventType.KEY_DESTROY: {"key_id", "purpose"},
    EventType.USERS_IMPORT: {"accounts"},
    EventType.USERS_EXPORT: {"accounts"},
    EventType.AUDIT_READ: {"view"},
    EventType.AUDIT_PRUNE: {"events", "before_ms", "log", "entries"},
    EventType.AUDIT_ERASE: {"events"},
    EventType.MAIL_FAIL: {"message", "template"},
    EventType.MAIL_RETRY: {"message", "template"},
    EventType.MAIL_DROP: {"message", "template"},
    EventType.LOG_COLLAPSED: {"type", "first_event", "count", "window_seconds"},
    EventType.LOG_START: {"log", "origin"},
    EventType.WEBHOOK_FAIL: {"message", "detection", "attempts"},
    EventType.WEBHOOK_RETRY: {"message", "detection", "attempts"},
    EventType.LOG_INCONSISTENT: {"log", "size", "known_size", "known_by"},
}


@pytest.mark.parametrize("type_", EventType)
def test_the_vocabulary_table_is_true(type_: EventType) -> None:
    severities = f"{default_severity(type_, Outcome.SUCCESS)} / {default_severity(type_, Outcome.FAILURE)}"
    names = " ".join(f"`{field.name}`" for field in fields(DETAILS[type_]))
    assert f"| `{type_}` | {severities} | {names} |" in PAGE
    required = {field.name for field in fields(DETAILS[type_]) if field.default is MISSING}
    assert required == REQUIRED.get(type_, set())


def test_reasons_texts_and_columns_are_named() -> None:
    for name in (*Reason, *Text):
        assert f"`{name}`" in PAGE or name == ""
    for model in (Event, PersonalData):
        for field in model._meta.local_fields:
            assert str(field.column) in PAGE


def test_the_worked_commitment_is_right() -> None:
    assert commit(bytes(range(16)), "ip", "192.0.2.1") in PAGE
    assert (bytes(range(16)).hex() + " " + b'{"ip":"192.0.2.1"}'.hex()) in PAGE
