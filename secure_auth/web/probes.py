"""/healthz (the process answers) and /readyz (its stores do too)."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from throttling import inspection
from throttling.address import is_trusted_peer

FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. No store is asked, so that an orchestrator does not kill what only has to wait."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, 503 when not. Without Redis the limits go on in the database."""
    checks = {"database": "ok" if _database_answers() else "away"}
    if settings.REDIS_URL:
        checks["redis"] = "ok" if inspection.is_redis_up() else "away"
    warnings = []
    forwarded = any(request.META.get(name) for name in FORWARDED)
    if forwarded and not is_trusted_peer(request.META, settings.TRUSTED_PROXIES):
        warnings.append("forwarded headers from a peer that TRUSTED_PROXIES does not name are ignored")
    ready = checks["database"] == "ok"
    body = {"status": "ready" if ready else "unavailable", "checks": checks, "warnings": warnings}
    return JsonResponse(body, status=200 if ready else 503)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
