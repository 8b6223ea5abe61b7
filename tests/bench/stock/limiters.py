"""Other limiters, set up as their manuals say and asked as often for the same keys as ours.

Each keeps its connections: `limits` and `throttled-py` share one pool of redis-py, Django's cache has one a thread, the
database is Django's pool. None is near its limit, so each decision is a yes that counts. The axes handlers do what a
failing login makes them do: one question, one failure to note. Their log lines are off, which favours them.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import limits
from axes.handlers.cache import AxesCacheHandler
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from django.http import HttpRequest
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter
from rest_framework.throttling import ScopedRateThrottle
from throttled import Throttled
from throttled.rate_limiter import per_duration
from throttled.store import RedisStore

from tests.bench.rounds import Subject

PER_MINUTE = 600
AXES_DATABASE = "axes' database handler (PostgreSQL), one failure"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Throttle(ScopedRateThrottle):
    THROTTLE_RATES = {"requests": f"{PER_MINUTE}/min"}


def caches_on(url: str) -> dict[str, dict[str, str]]:
    """Django's own Redis cache."""
    return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}


def redis_peers(url: str, decisions: int) -> list[Subject]:
    """Everything that decides on Redis."""
    storage: Any = RedisStorage(url)
    found = {
        "limits, fixed window": asking_limits(FixedWindowRateLimiter(storage)),
        "limits, moving window": asking_limits(MovingWindowRateLimiter(storage)),
        "throttled-py, fixed window": asking_throttled("fixed_window", url),
        "throttled-py, GCRA": asking_throttled("gcra", url),
        "REST framework's throttle, Redis cache": ask_rest_framework,
        "axes' cache handler, Redis cache, one failure": failing_at(AxesCacheHandler()),
    }
    return [Subject(name, decide, decisions) for name, decide in found.items()]


def database_peers(decisions: int) -> list[Subject]:
    """What decides on the database."""
    handler = AxesDatabaseHandler()
    AxesProxyHandler.implementation = handler  # what axes' signals speak to when it saves a row
    return [Subject(AXES_DATABASE, failing_at(handler), decisions)]


def asking_limits(strategy: RateLimiter) -> Callable[[int], object]:
    item = limits.parse(f"{PER_MINUTE}/minute")
    name = type(strategy).__name__  # the two would share keys else
    return lambda number: granted(strategy.hit(item, name, f"2001:db8:{number:x}::/64"))


def asking_throttled(algorithm: str, url: str) -> Callable[[int], object]:
    quota = per_duration(timedelta(minutes=1), PER_MINUTE)
    throttle = Throttled(using=algorithm, quota=quota, store=RedisStore(server=url))
    return lambda number: granted(not throttle.limit(f"2001:db8:{number:x}::/64").limited)


def ask_rest_framework(number: int) -> None:
    request: Any = SimpleNamespace(user=None, headers={}, META={"REMOTE_ADDR": f"2001:db8:{number:x}::"})
    view: Any = SimpleNamespace(throttle_scope="requests")
    granted(Throttle().allow_request(request, view))


def failing_at(handler: Any) -> Callable[[int], object]:
    logging.getLogger("axes").setLevel(logging.CRITICAL)

    def fail(number: int) -> None:
        request = HttpRequest()
        request.path = "/api/v1/login/"
        request.META = {"REMOTE_ADDR": f"10.0.{number // 256}.{number % 256}", "HTTP_USER_AGENT": AGENT}
        credentials = {"username": f"person{number}@example.org"}
        AxesProxyHandler.update_request(request)
        granted(handler.is_allowed(request, credentials))
        handler.user_login_failed("bench", credentials, request)

    return fail


def granted(answer: bool) -> None:
    if not answer:
        raise AssertionError("a peer refused, so its times would not be those of a decision that counts")
