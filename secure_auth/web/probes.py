"""/healthz (the process answers) and /readyz (its stores do too)."""

import contextlib
import time

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from secure_auth.methods import safe_methods
from throttling import inspection

NOTE_EVERY_SECONDS = 60
WARN_FOR_SECONDS = 3600
_noted_at = -float(NOTE_EVERY_SECONDS)


@safe_methods
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. No store is asked, so that an orchestrator does not kill what only has to wait."""
    return JsonResponse({"status": "ok"})


@safe_methods
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when not. Without Redis the limits go on in the database."""
    checks = {"database": "ok" if _database_answers() else "away"}
    if settings.REDIS_URL:
        checks["redis"] = "ok" if inspection.is_redis_up() else "away"
    ready = checks["database"] == "ok"
    body = {"status": "ready" if ready else "unavailable", "checks": checks, "warnings": _warnings()}
    return JsonResponse(body, status=200 if ready else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def note_untrusted_forwarding() -> None:
    """Remember, for all workers of the node, that forwarded headers came from a peer that is not trusted."""
    global _noted_at
    now = time.monotonic()
    if now - _noted_at >= NOTE_EVERY_SECONDS:
        _noted_at = now
        with contextlib.suppress(OSError):
            (settings.DATA_DIR / "untrusted-forwarding").touch(mode=0o600)


def _warnings() -> list[str]:
    try:
        age_seconds = time.time() - (settings.DATA_DIR / "untrusted-forwarding").stat().st_mtime
    except OSError:
        return []
    if age_seconds > WARN_FOR_SECONDS:
        return []
    return ["forwarded headers came from a peer that TRUSTED_PROXIES does not name; they are ignored"]
