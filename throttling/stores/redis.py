"""Buckets in Redis or Valkey: one script call decides all buckets of one owner, by the server's clock.

An owner's state is one key. Owners are spread over SLOTS hash tags; each tag has a mark that says which server has
been counting there and since when, so that a server that lost its counts is not believed until a full window has
passed. Retried, once, is only what met a connection that broke while it was idle: a call whose answer got lost may have
counted, which errs on the safe side. Every error becomes StoreUnavailable.
"""

import contextlib
import json
import zlib
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from django.conf import settings

from throttling.limits import Limit
from throttling.reservations import Claim, Clear, StoreUnavailable
from throttling.stores.bucket import member_of, shape_of

if TYPE_CHECKING:
    from throttling.stores import servers

SLOTS = 64
SCRIPT = Path(__file__).with_name("redis.lua").read_text(encoding="utf-8")
VOLATILE_PURPOSES = ("requests", "password_source", "password_source_wide", "refresh")
Claims = Sequence[Claim]
quoted = json.encoder.encode_basestring_ascii


def reserve(owners: Sequence[Claims], id_: str | None, ttl_ms: int) -> list[dict[str, Any]]:
    """Like ``throttling.stores.database.reserve``, once for the claims on each owner, in one round trip."""
    called = [(claims[0].owner, f"[{','.join(map(_rule, claims))}]") for claims in owners]
    return [_verdicts(answer) for answer in _call("reserve" if id_ else "look", called, id_ or "", ttl_ms)]


def settle(claims: Claims, id_: str, at_ms: int, outcome: str) -> list[dict[str, Any]]:
    """End the part of a reservation that stands here: ``failed``, ``passed`` or ``released``. One owner's claims."""
    rules = [_rule(claim).replace("{", f'{{"act":"{outcome}",', 1) for claim in claims]
    (answer,) = _call("settle", [(claims[0].owner, f"[{','.join(rules)}]")], id_, at_ms)
    found = [list(map(int, part.split(","))) for part in answer.split(";") if part]
    return [{"hit": bool(hit), "level": level, "locked": locked} for hit, level, locked in found]


def clear(what: Clear) -> None:
    """Clear buckets of one owner, in all keys where none is named."""
    rules = [
        {"act": "clear", "name": _name(purpose, what.key), "all": what.key is None}
        for purpose in what.purposes
    ]
    _call("settle", [(what.owner, json.dumps(rules))], "", 0)


def greet() -> None:
    """Connect at the start of a process: it shall know which servers it began with before another takes their place.

    A server that is away is left to the first decision.
    """
    if not settings.REDIS_URL:
        return
    servers = _servers()
    with contextlib.suppress(*servers.ERRORS):
        for server in _topology().servers():
            server.greet()


def ping() -> None:
    """Raise StoreUnavailable unless every server answers."""
    servers = _servers()
    try:
        for server in _topology().servers():
            server.ask("PING")
    except servers.ERRORS as error:
        raise StoreUnavailable("Redis is away") from error


def longest_window_seconds() -> int:
    """How long a store must have counted to be believed."""
    limits = settings.LIMITS
    return max([limits[purpose].window_seconds for purpose in VOLATILE_PURPOSES])


@cache
def _servers() -> ModuleType:
    """The client of Redis, which a service without one never loads: a tenth of the start of every command."""
    return import_module("throttling.stores.servers")


def _topology() -> "servers.Topology":
    found: servers.Topology = _servers().topology(settings.REDIS_URL, longest_window_seconds())
    return found


def place_of(owner: str) -> tuple[str, str]:
    """The keys of an owner: the mark of its slot, and its state."""
    tag = _tag(zlib.crc32(owner.encode()) % SLOTS)
    return f"{tag}since", tag + owner


def _tag(slot: int) -> str:
    return f"limit:{{{slot:x}}}:"


def _call(call: str, owners: Sequence[tuple[str, str]], id_: str, number: int) -> list[str]:
    servers, trust_ms = _servers(), longest_window_seconds() * 1000
    calls = [(place_of(owner), (call, id_, number, trust_ms, rules)) for owner, rules in owners]
    try:
        found = servers.call_script(_topology(), SCRIPT, calls)
    except servers.RedisTimeoutError as error:
        raise StoreUnavailable("Redis is slow", is_slow=True) from error
    except servers.ERRORS as error:
        raise StoreUnavailable("Redis is away") from error
    answers = [answer if isinstance(answer, str) else answer.decode() for answer in found]
    waits = [int(answer.partition(",")[2]) for answer in answers if answer.startswith("wait,")]
    if waits:
        _mark_all(trust_ms)
        raise StoreUnavailable("Redis may have lost what it counted", seconds=max(waits) / 1000)
    return answers


def _mark_all(trust_ms: int) -> None:
    """Begin the wait of every slot now, not when its first owner comes: else each would be another fail-over."""
    calls = [((f"{tag}since", tag), ("look", "", 0, trust_ms, "[]")) for tag in map(_tag, range(SLOTS))]
    servers = _servers()
    with contextlib.suppress(*servers.ERRORS):
        servers.call_script(_topology(), SCRIPT, calls)


def _rule(claim: Claim) -> str:
    """A claim as the script reads it: JSON, without zeros."""
    member = member_of(claim)
    if not member and not claim.key:
        return _plain_rule(claim.limit)
    named = f'"member":"{member}",' if member else ""
    return f'{{"name":{quoted(_name(claim.limit.purpose, claim.key))},{named}{_shape(claim.limit)}}}'


@cache
def _plain_rule(limit: Limit) -> str:
    return f'{{"name":{quoted(limit.purpose)},{_shape(limit)}}}'


def _name(purpose: str, key: str | None) -> str:
    return f"{purpose}:{key}" if key else purpose


@cache
def _shape(limit: Limit) -> str:
    return json.dumps({name: value for name, value in shape_of(limit).items() if value})[1:-1]


def _verdicts(answer: str) -> dict[str, Any]:
    head, *verdicts = answer.split(";")
    granted, _, at = head.partition(",")
    return {"granted": granted == "1", "at": int(at), "verdicts": [_verdict(verdict) for verdict in verdicts]}


def _verdict(text: str) -> dict[str, int]:
    """One rule's verdict; what a granted one leaves out is 0."""
    used, pending, need, wait, reset, level, locked = [*map(int, text.split(",")), 0, 0, 0, 0][:7]
    return {
        "used": used, "pending": pending, "need": need, "wait": wait, "reset": reset,
        "level": level, "locked": locked,
    }  # fmt: skip
