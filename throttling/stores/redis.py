"""Buckets in Redis or Valkey: one script call decides all buckets of one owner, by the server's clock.

The owner is the hash tag, so that its buckets share a cluster slot. Time-outs are short and nothing is
retried: a call whose answer got lost may have counted, which errs on the safe side. Every error becomes
StoreUnavailable.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from throttling.reservations import StoreUnavailable
from throttling.stores.bucket import Rule

TIMEOUT_SECONDS = 0.08
SCRIPT = Path(__file__).with_name("redis.lua").read_text(encoding="utf-8")


_identities: dict[str, str] = {}


def _recognize(connection: Any) -> None:
    """Refuse, once, a server that is not the one known so far: restarted or another one, it may be empty."""
    connection.on_connect()
    connection.send_command("INFO", "server")
    answer = connection.read_response()
    text = answer if isinstance(answer, str) else answer.decode()
    identity = text.partition("run_id:")[2].split("\r")[0]
    known = _identities.get(settings.REDIS_URL, identity)
    _identities[settings.REDIS_URL] = identity
    if known != identity:
        raise RedisConnectionError("this Redis is not the one known so far")


@cache
def client(url: str) -> Redis:
    """Return this process's client and its pool."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        redis_connect_func=_recognize,
        max_connections=settings.SERVER_THREADS * 2,
    )


@cache
def script(url: str) -> Script:
    return client(url).register_script(SCRIPT)


def reserve(rules: list[Rule], id_: str | None, ttl_ms: int) -> dict[str, Any]:
    """Like ``throttling.stores.database.reserve``, for rules of one owner."""
    answer: dict[str, Any] = _call("reserve" if id_ else "look", rules, id_ or "", ttl_ms)
    return answer


def settle(operations: list[Rule], id_: str, at_ms: int) -> list[dict[str, Any]]:
    """Like ``throttling.stores.database.settle``, for operations of one owner; a key of None means the
    empty key.
    """
    return _call("settle", operations, id_, at_ms) or []


def ping() -> None:
    """Raise StoreUnavailable unless the server answers."""
    try:
        client(settings.REDIS_URL).ping()
    except (RedisError, OSError) as error:
        raise StoreUnavailable("Redis is away") from error


def _call(call: str, rules: list[Rule], id_: str, number: int) -> Any:
    names = [f"limit:{{{rule['owner']}}}:{rule['purpose']}:{rule['key'] or ''}" for rule in rules]
    try:
        return json.loads(script(settings.REDIS_URL)(keys=names, args=[call, id_, number, json.dumps(rules)]))
    except (RedisError, OSError) as error:
        raise StoreUnavailable("Redis is away") from error
