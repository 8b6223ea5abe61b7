"""Refusals that are counted in memory reach the log, whatever happens to who writes them."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import InterfaceError

from audit.append import append_collapsed
from audit.models import Tally
from secure_auth import floods
from tests.unit.audit.says import collapsed, limit_hit

pytestmark = pytest.mark.usefixtures("log")
KEY = "flood"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(floods, "FLUSH_SECONDS", 0.05)
    yield
    wait_until_still()


def wait_until_still() -> None:
    deadline = time.monotonic() + 10
    while floods._writer is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def fail_first(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = append_collapsed
    failed: list[bool] = []

    def append(*values: Any, **named: Any) -> bool:
        if not failed:
            failed.append(True)
            raise error
        return real(*values, **named)

    monkeypatch.setattr(floods, "append_collapsed", append)


@pytest.mark.parametrize("error", [InterfaceError("the connection is closed"), ZeroDivisionError()])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_count_is_lost_with_what_wrote_it(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A closed connection ends nobody; a mistake of ours ends the writer, and the next refusal begins another."""
    collapsed(limit_hit(), key=KEY)
    fail_first(monkeypatch, error)
    for _ in range(3):
        floods.count(limit_hit(), key=KEY)
    wait_until_still()
    floods.count(limit_hit(), key=KEY)
    wait_until_still()
    assert Tally.objects.get().count == 4
