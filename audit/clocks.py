"""This machine's clock and PostgreSQL's: what is done for good, or must not come too soon, hangs on neither alone.

Beside the embedded database there is one clock.
"""

from datetime import datetime

from django.db import connection
from django.utils import timezone


def earlier_now() -> datetime:
    """By the clock that is behind: one that is ahead makes nothing old, and ends nothing that others still use."""
    return min(_now())


def later_now() -> datetime:
    """By the clock that is ahead: what begins to wait at this moment waits for no shorter time than it should."""
    return max(_now())


def ahead_seconds() -> float:
    """How far this machine's clock is surely ahead of the database's; behind: negative."""
    began = timezone.now()
    told = _now()[1:]
    ended = timezone.now()
    for there in told:
        if not began <= there <= ended:  # what lies between was on the way
            return (began - there if there < began else ended - there).total_seconds()
    return 0.0


def _now() -> list[datetime]:
    if connection.vendor != "postgresql":
        return [timezone.now()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return [timezone.now(), cursor.fetchone()[0]]
