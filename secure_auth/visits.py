"""The console's idle limit: whoever was away from it for CONSOLE_IDLE_SECONDS proves a second factor again.

It counts what is done in the console alone: neither other pages nor a live tail that nobody watches keeps it open.
"""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from audit.events import Source
from secure_auth import demands
from secure_auth.access import Signed
from secure_auth.console_tables import ConsoleVisit

NOTED_PER_IDLE = 60  # a visit is noted at most this often within the limit


def enter(*, signed: Signed, source: Source, is_use: bool = True) -> None:
    """Let a session into the console, and note that it is in use.

    Raises:
        Problem: reauthentication_required; recorded once a window.
    """
    now, idle = timezone.now(), timedelta(seconds=settings.CONSOLE_IDLE_SECONDS)
    visits = ConsoleVisit.objects.filter(session=signed.session.id)
    seen_at = visits.values_list("seen_at", flat=True).first()
    if seen_at is None or now - seen_at > idle:
        demands.demand_fresh(signed, source=source, max_age=settings.CONSOLE_IDLE_SECONDS)
    if is_use and (seen_at is None or now - seen_at > idle / NOTED_PER_IDLE):
        ConsoleVisit.objects.update_or_create(session=signed.session.id, defaults={"seen_at": now})
