"""What the background worker says of a duty that fails."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from structlog.testing import capture_logs

from secure_auth import retention, worker
from secure_auth.lead import RENEW_SECONDS, TELL_AGAIN_SECONDS, Lead
from secure_auth.worker import Duty
from tests.unit.audit.conftest import only


def test_failure_that_lasts_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("secure_auth.worker.time.monotonic", lambda: clock[0])
    errors: list[Exception] = []

    def fail() -> None:
        raise errors[-1]

    duty = Duty("a duty that fails", fail)
    with capture_logs() as lines:
        for errors[:] in ([OSError()], [OSError()], [ValueError()], [ValueError()], [OperationalError()]):
            assert not worker.attempt(duty)
        clock[0] += TELL_AGAIN_SECONDS
        assert not worker.attempt(duty)
    told = [line.get("error", line["event"]) for line in lines]
    assert told == ["OSError", "worker.duty_broken", "OperationalError", "OperationalError"]


def test_lead_that_cannot_be_asked_for_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("secure_auth.lead.time.monotonic", lambda: clock[0])

    def fail(_: Lead) -> bool:
        raise OperationalError

    for way in ("_take_lease", "_take_file"):
        monkeypatch.setattr(Lead, way, fail)
    lead = Lead()
    with capture_logs() as lines:
        for seconds in (RENEW_SECONDS, RENEW_SECONDS, TELL_AGAIN_SECONDS):
            assert not lead.renew()
            clock[0] += seconds
        assert not lead.renew()
    assert [line["event"] for line in lines] == ["worker.lead_unknown"] * 2


@only("postgres")
def test_clock_that_is_ahead_makes_nothing_old(log: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What retention takes is gone for good."""
    now, age = timezone.now(), timedelta(days=400)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now + timedelta(days=4_000))
    assert retention.moment_ago(age) < now + timedelta(minutes=1) - age
    monkeypatch.setattr("django.utils.timezone.now", lambda: now - timedelta(days=4_000))
    assert retention.moment_ago(age) == now - timedelta(days=4_000) - age
