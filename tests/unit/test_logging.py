"""What a log line shows of an event, and hides of everything else."""

import logging
from collections.abc import Callable
from dataclasses import fields

import pytest
from django.core import mail
from django.test import RequestFactory, override_settings

import tests.ready  # noqa: F401
from audit.details_of import DETAILS
from secure_auth.logging_config import HIDDEN, redact
from throttling.limits import KEY_KINDS

COUNTS = {"secrets", "totp"}
NAMES = sorted({field.name for details in set(DETAILS.values()) for field in fields(details)} - {"key"})


def shown(name: str, value: object) -> object:
    return redact(None, "info", {"details": {name: value}})["details"][name]


@pytest.mark.parametrize("name", NAMES)
def test_each_detail_of_an_event_is_in_its_line(name: str) -> None:
    value = 7 if name in COUNTS else "01a21de0-a0cc-768d-b9c0-075e85ff1a4e"
    assert shown(name, value) == value


@pytest.mark.parametrize("kind", sorted(set(KEY_KINDS.values())))
def test_kind_of_a_key_is_shown(kind: str) -> None:
    assert shown("key", kind) == kind


@pytest.mark.parametrize("name", ["key", "password", "api_key", "refresh", "code_", "device_token"])
def test_what_a_name_calls_secret_is_hidden(name: str) -> None:
    assert (shown(name, "hunter2") == HIDDEN) == (name != "code_")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bearer eyJhbGciOi.eyJzdWIi.c2ln and on", "Bearer [redacted] and on"),
        ("eyJhbGciOi.eyJzdWIi.", "[redacted]"),
        ("open /reset/#token=c3Ryb25n now", "open /reset/#token=[redacted] now"),
        ("redis://user:pass@store:6379/0", "redis://[redacted]@store:6379/0"),
        ("https://store.example/eyes?a=1", "https://store.example/eyes?a=1"),
        ("no mark in it", "no mark in it"),
    ],
)
def test_what_has_the_form_of_a_secret_is_hidden_wherever_it_stands(text: str, shown: str) -> None:
    line = {"event": text, "source": {"user_agent": text}, "details": {"names": [text]}}
    expected = {"event": shown, "source": {"user_agent": shown}, "details": {"names": [shown]}}
    assert redact(None, "info", line) == expected


@pytest.mark.parametrize("kind", [ValueError, str.encode, lambda text: {text}, lambda text: [{text}]])
def test_what_is_no_text_hides_as_much(kind: Callable[[str], object]) -> None:
    told = str(redact(None, "info", {"event": "x", "why": kind("eyJhbGciOi.eyJzdWIi.c2ln")}))
    assert HIDDEN in told
    assert "c2ln" not in told
    assert shown("password", kind("hunter2")) in (HIDDEN, [HIDDEN])


@override_settings(
    ADMINS=[("Ada", "ada@example.org")], EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"
)
def test_no_error_is_mailed_with_the_form_that_met_it(capfd: pytest.CaptureFixture[str]) -> None:
    mail.outbox = []
    request = RequestFactory().post("/sign-in/", {"password": "correct horse battery 9"})
    logging.getLogger("django.request").error(
        "Internal Server Error", extra={"request": request, "status_code": 500}
    )
    assert mail.outbox == []
    told = "".join(capfd.readouterr())
    assert told.count("\n") == 1, "one line, by one handler"
    assert "Internal Server Error" in told
    assert "horse" not in told
