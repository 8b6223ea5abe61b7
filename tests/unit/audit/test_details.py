"""Details hold what the vocabulary knows, and nothing else."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.details import Id, LimitHit, Lock, Login
from audit.details_of import DETAILS
from audit.events import EventType, Outcome, Severity, default_severity
from audit.validation import UnknownDetail, check_details, check_text
from audit.vocabulary import LimitKey, LimitPurpose, Text


def test_every_type_has_details_and_a_severity() -> None:
    assert set(DETAILS) == set(EventType)
    for type_ in EventType:
        assert isinstance(default_severity(type_, Outcome.FAILURE), Severity)


def test_every_type_is_a_subject_and_an_action() -> None:
    assert [type_ for type_ in EventType if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", type_)] == []


def test_details_and_free_text_share_no_name() -> None:
    for model in DETAILS.values():
        assert not {field.name for field in fields(model)} & set(Text)


def test_a_mapping_and_its_dataclass_say_the_same() -> None:
    said = {"limit": "requests", "key": "source", "count": 3}
    hit = LimitHit(limit=LimitPurpose.REQUESTS, key=LimitKey.SOURCE, count=3)
    assert check_details(EventType.LIMIT_EXCEEDED, said) == said
    assert check_details(EventType.LIMIT_EXCEEDED, hit) == said


def test_none_is_left_out() -> None:
    assert check_details(EventType.LOGIN_PASSWORD, {"next": None, "authenticator": "d1"}) == {
        "authenticator": "d1"
    }
    assert check_details(EventType.LOGIN_PASSWORD, Login(login=Id("l1"))) == {"login": "l1"}


def test_moments_are_rfc_3339_in_utc() -> None:
    until = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert check_details(EventType.ACCOUNT_LOCK, Lock(until=until)) == {"until": "2026-01-02T03:04:05.000Z"}


@pytest.mark.parametrize(
    ("type_", "details"),
    [
        ("login.password", {"colour": "red"}),
        ("login.password", {"next": "door"}),
        ("login.password", {"next": 1}),
        ("login.password", {"next": ["verify"]}),
        ("login.password", {"authenticator": "ana@example.org"}),
        ("login.password", {"authenticator": "two words"}),
        ("login.password", {"authenticator": "x" * 65}),
        ("login.password", {"authenticator": ""}),
        ("login.password", {"authenticator": "eyJh.eyJz.c2ln"}),
        ("login.password", {"authenticator": b"bytes"}),
        ("login.password", Lock()),
        ("login.password", "next=verify"),
        ("limit.exceeded", {}),
        ("limit.exceeded", {"limit": None}),
        ("limit.exceeded", {"limit": "requests", "count": 3}),
        ("limit.exceeded", {"limit": "requests", "key": "source"}),
        ("limit.exceeded", {"limit": "requests", "key": "192.0.2.1", "count": 3}),
        ("limit.exceeded", {"limit": "requests", "key": "source", "count": "3"}),
        ("limit.exceeded", {"limit": "requests", "key": "source", "count": True}),
        ("limit.exceeded", {"limit": "requests", "key": "source", "count": 2.0}),
        ("limit.exceeded", {"limit": "requests", "key": "source", "count": 2**53}),
        ("token.refresh", {"replayed": 1}),
        ("account.lock", {"until": "2026-01-02T03:04:05Z"}),
        ("account.lock", {"until": datetime(2026, 1, 2)}),  # noqa: DTZ001 the fault under test
        ("session.open", {"amr": "pwd"}),
        ("session.open", {"amr": ["pwd", "charm"]}),
        ("session.open", {"amr": ["pwd"] * 17}),
        ("password.reset_request", {"authenticator": "d1"}),
    ],
)
def test_anything_else_is_refused(type_: str, details: Any) -> None:
    with pytest.raises(UnknownDetail):
        check_details(EventType(type_), details)


@pytest.mark.parametrize(
    "details", [{"next": "hunter2!"}, {"authenticator": "hunter2!"}, {"login": ["hunter2!"]}]
)
def test_a_refusal_does_not_repeat_the_value(details: dict[str, Any]) -> None:
    with pytest.raises(UnknownDetail) as refusal:
        check_details(EventType.LOGIN_PASSWORD, details)
    shown: BaseException | None = refusal.value
    while shown is not None:
        assert "hunter2" not in str(shown) or shown.__suppress_context__
        shown = None if shown.__suppress_context__ else shown.__context__


def test_free_text_is_named_cut_and_a_string() -> None:
    assert check_text({"note": "x" * 2000, "name": ""}) == {"note": "x" * 1000}
    for bad in ({"diary": "x"}, {"note": 1}):
        with pytest.raises(UnknownDetail):
            check_text(bad)  # type: ignore[arg-type]
