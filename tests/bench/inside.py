"""Django inside a benchmark's own process, over the stores that its environment names."""

import os

import django
import redis
from django.apps import apps
from django.conf import settings

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "secure_auth.settings")
    django.setup()

from tests.services import believe
from throttling.models import Bucket
from throttling.stores import servers

servers.TIMEOUT_SECONDS = 10.0  # a busy machine is no outage


def adopt_redis() -> None:
    """Make the limiter trust the empty Redis database of this benchmark."""
    if settings.REDIS_URL:
        with redis.Redis.from_url(settings.REDIS_URL) as connection:
            believe(connection)


def refuse_fallback(owners: str) -> None:
    """End when the database decided what was to be measured on Redis, as it does after an error."""
    if Bucket.objects.filter(owner__startswith=owners).exists():
        raise SystemExit("The limiter left Redis while it was measured.")
