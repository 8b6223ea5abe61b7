"""/healthz (the process answers), /readyz (its stores do too) and /metrics (what the node counted)."""

import contextlib
import hmac
import time

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from secure_auth import clock_watch, integration, keys
from secure_auth import metrics as counters
from secure_auth.errors import invalid_token, missing_token
from secure_auth.plain_views import safe_methods
from secure_auth.problem_details import problem_response
from throttling import inspection, lockout
from throttling.reservations import StoreUnavailable

NOTE_EVERY_SECONDS = 60
WARN_FOR_SECONDS = 3600
_noted_at = -float(NOTE_EVERY_SECONDS)


@safe_methods
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. No store is asked, so that an orchestrator does not kill what only has to wait."""
    return JsonResponse({"status": "ok"})


@safe_methods
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and the key rings open. Without Redis the limits go on in the database."""
    checks = {"database": "ok" if _database_answers() else "away"}
    if settings.REDIS_URL:
        checks["redis"] = "ok" if inspection.is_redis_up() else "away"
    if checks["database"] == "ok":
        checks |= _check_rings()
    ready = checks["database"] == "ok" and "keys" not in checks
    body = {"status": "ready" if ready else "unavailable", "checks": checks, "warnings": _warnings(checks)}
    return JsonResponse(body, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponseBase:
    """The counters, to whoever shows METRICS_TOKEN; where that is unset, an unknown address like any other."""
    if not settings.METRICS_TOKEN:
        raise Http404
    return _scrape(request)


@safe_methods
def _scrape(request: HttpRequest) -> HttpResponseBase:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    token = shown.lstrip(" ")
    if scheme.lower() != "bearer" or not token:
        return problem_response(missing_token(), request)
    if not hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        return problem_response(invalid_token(), request)
    _give_back(request)
    return HttpResponse(counters.expose(), content_type=counters.CONTENT_TYPE)


def _give_back(request: HttpRequest) -> None:
    """A scrape counts against no limit. It was counted before its token was looked at: guesses are limited exactly."""
    with contextlib.suppress(StoreUnavailable):
        lockout.release(request.reservation)  # type: ignore[attr-defined]
    request.usages.clear()  # type: ignore[attr-defined]


def _database_answers() -> bool:
    """Whether it answers and takes writing, unlike a standby or a full disk: nothing goes without an event."""
    if connection.vendor == "sqlite":  # a project may use Django's own backend
        return bool(getattr(connection, "takes_writing", lambda: True)())
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            is_open = cursor.fetchone() == ("off",)
    except Error:
        return False
    if not is_open:
        getattr(connection, "takes_no_writing", lambda: None)()
    return bool(is_open and getattr(connection, "has_room", lambda: True)())


def _check_rings() -> dict[str, str]:
    """Whether this node's master key is still theirs: where another sealed them meanwhile, it can judge no token."""
    try:
        keys.read_rings()
    except ImproperlyConfigured:
        return {"keys": "closed"}
    except Error:  # gone since, or its tables are: somebody puts a backup back
        return {"database": "away"}
    return {}


def note_untrusted_forwarding() -> None:
    """Remember, for all workers of the node, that forwarded headers came from a peer that is not trusted."""
    global _noted_at
    now = time.monotonic()
    if now - _noted_at >= NOTE_EVERY_SECONDS:
        _noted_at = now
        with contextlib.suppress(OSError):
            (settings.DATA_DIR / "untrusted-forwarding").touch(mode=0o600)


def _warnings(checks: dict[str, str]) -> list[str]:
    # a database that is away is waited for once, not again for its clock
    clocks = clock_watch.warnings() if checks["database"] == "ok" else []
    return [*_forwarding_warnings(), *_log_warnings(), *clocks]


def _log_warnings() -> list[str]:
    try:
        why = integration.trouble_path().read_text().strip()
    except OSError:
        return []
    return [f"the audit log is not signed, it contradicts a known checkpoint: {why}"]


def _forwarding_warnings() -> list[str]:
    try:
        age_seconds = time.time() - (settings.DATA_DIR / "untrusted-forwarding").stat().st_mtime
    except OSError:
        return []
    if age_seconds > WARN_FOR_SECONDS:
        return []
    return ["forwarded headers came from a peer that TRUSTED_PROXIES does not name; they are ignored"]
