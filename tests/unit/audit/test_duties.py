"""What the background worker says of a duty that fails."""

import pytest
from django.db import OperationalError
from structlog.testing import capture_logs

from secure_auth import worker
from secure_auth.worker import Duty


def test_failure_that_lasts_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("secure_auth.worker.time.monotonic", lambda: clock[0])
    errors: list[Exception] = []

    def fail() -> None:
        raise errors[-1]

    duty = Duty("a duty that fails", fail)
    with capture_logs() as lines:
        for errors[:] in ([OSError()], [OSError()], [OperationalError()]):
            assert not worker.attempt(duty)
        clock[0] += worker.TELL_AGAIN_SECONDS
        assert not worker.attempt(duty)
    assert [line["error"] for line in lines] == ["OSError", "OperationalError", "OperationalError"]
