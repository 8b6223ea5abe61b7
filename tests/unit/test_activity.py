"""Events in the words that their owner reads."""

from typing import Any

import tests.ready  # noqa: F401
from secure_auth.web.activity import describe_event


def told(**changes: str) -> dict[str, Any]:
    source = {"ip": "192.0.2.1", "user_agent": ""}
    event = {"time": "2031-05-06T07:08:09Z", "type": "session.open", "outcome": "success", "severity": "info"}
    return {**event, "source": source, **changes}


def test_words_and_tone_of_what_happened() -> None:
    opened = describe_event(told())
    assert (opened.words, opened.tone) == ("Signed in", "ok")
    failed = describe_event(told(type="login.password", outcome="failure", severity="medium"))
    assert (failed.words, failed.tone) == ("Failed sign-in: wrong password", "warn")


def test_what_a_newer_node_wrote_is_shown_by_its_name() -> None:
    """While nodes are upgraded one after the other, those that wait must not fail for what the others do."""
    assert describe_event(told(type="session.move", outcome="deferred")).words == "session.move"
