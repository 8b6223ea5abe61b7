"""Whether a node's clock is in step with PostgreSQL's: told at its start and by its worker, at /readyz and as a gauge.

Tokens, links and TOTP codes are judged by a node's own clock (OWASP ASVS 16.2.2). Beside the embedded database there
is one clock.
"""

import time
from collections.abc import Iterator

import structlog
from django.db import Error
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from audit import clocks
from secure_auth import metrics

log = structlog.get_logger(__name__)

TOLD_FROM_SECONDS = 5
LOOK_AGAIN_SECONDS = 60


def warnings() -> list[str]:
    """What /readyz says of it. Without the database nothing."""
    try:
        seconds = clocks.ahead_seconds()
    except Error:
        return []
    if abs(seconds) < TOLD_FROM_SECONDS:
        return []
    side = "ahead of" if seconds > 0 else "behind"
    return [f"this node's clock is {abs(seconds):.0f} seconds {side} the database's"]


def tell() -> None:
    """Write a line where they differ.

    Raises:
        Error: the database is away.
    """
    seconds = clocks.ahead_seconds()
    if abs(seconds) >= TOLD_FROM_SECONDS:
        log.warning("clock.differs", ahead_seconds=round(seconds, 1))


class Watch:
    """Looks once a minute, however often it is asked to."""

    def __init__(self) -> None:
        self._look_at = 0.0

    def look(self) -> None:
        """tell(), if it is time."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_AGAIN_SECONDS
            tell()


class ClockState(Collector):
    """This node's clock, read when it is asked for. Without the database it tells nothing."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """How far it is ahead."""
        try:
            seconds = clocks.ahead_seconds()
        except Error:
            return
        yield metrics.gauge(
            "clock_ahead_seconds", "This node's clock ahead of the database's; behind: negative.", seconds
        )


metrics.STATE.register(ClockState())
