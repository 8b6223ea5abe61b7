"""Buckets in Redis or Valkey: one script call decides all buckets of one owner, by the server's clock.

An owner's state is one key. Owners are spread over SLOTS hash tags; each tag has a mark that says which server has
been counting there and since when, so that a server that lost its counts is not believed until a full window has
passed. Retried, once, is only what met a connection that broke while it was idle: a call whose answer got lost may have
counted, which errs on the safe side. Every error becomes StoreUnavailable.
"""

import contextlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from django.conf import settings

from throttling.limits import Counts, Limit
from throttling.reservations import Claim, Clear, StoreUnavailable
from throttling.stores.bucket import member_of, shape_of

if TYPE_CHECKING:
    from throttling.stores import servers

SLOTS = 64
SCRIPT = "".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("redis_rates.lua", "redis.lua")
)
VOLATILE_PURPOSES = ("requests", "password_source", "password_source_wide", "refresh")
Claims = Sequence[Claim]
GRANTED_RATES = b"G"  # begins the answer of the script that granted them
GRANTED = {"used": 0, "pending": 0, "need": 1, "wait": 0, "reset": 0, "level": 0, "locked": 0}
quoted = json.encoder.encode_basestring_ascii


def reserve(owners: Sequence[Claims], id_: str | None, ttl_ms: int) -> list[dict[str, Any]]:
    """Like ``throttling.stores.database.reserve``, once for the claims on each owner, in one round trip.

    The claims on an owner come in the order of their buckets.
    """
    calls: list[tuple[Any, ...]] = []
    for claims in owners:
        packed = [b"" if claim.key else _packed(claim.limit) for claim in claims]
        if id_ and all(packed):  # what nearly all calls ask for
            calls.append((claims[0].owner, "rates", b"".join(packed)))
        else:
            calls.append((claims[0].owner, "reserve" if id_ else "look", _rules(claims), id_ or "", ttl_ms))
    try:
        return list(map(_verdicts, _call(calls)))
    except (ValueError, struct.error) as error:
        raise StoreUnavailable("Redis does not answer what the script does") from error


def settle(claims: Claims, id_: str, at_ms: int, outcome: str) -> list[dict[str, Any]]:
    """End the part of a reservation that stands here: ``failed``, ``passed`` or ``released``. One owner's claims."""
    rules = _rules(claims, f'"act":"{outcome}",')
    (answer,) = _call([(claims[0].owner, "settle", rules, id_, at_ms)])
    found = [list(map(int, part.split(b","))) for part in answer.split(b";") if part]
    return [{"hit": bool(hit), "level": level, "locked": locked} for hit, level, locked in found]


def clear(what: Clear) -> None:
    """Clear buckets of one owner, in all keys where none is named."""
    rules = [
        {"act": "clear", "name": _name(purpose, what.key), "all": what.key is None}
        for purpose in what.purposes
    ]
    _call([(what.owner, "settle", json.dumps(rules), "", 0)])


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


def _call(calls: Iterable[tuple[Any, ...]]) -> list[bytes]:
    """The script's answers, one for each (owner, call, rules, and what else the call takes)."""
    servers, topology = _servers(), _topology()
    trust_ms = topology.trust_seconds * 1000
    try:
        answers: list[bytes] = servers.call_script(
            topology, SCRIPT, [(place_of(owner), (call, trust_ms, *rest)) for owner, call, *rest in calls]
        )
    except servers.RedisTimeoutError as error:
        raise StoreUnavailable("Redis is slow", is_slow=True) from error
    except servers.ERRORS as error:
        raise StoreUnavailable("Redis is away") from error
    waits = [int(answer[5:]) for answer in answers if answer.startswith(b"wait,")]
    if waits:
        _mark_all(topology)
        raise StoreUnavailable("Redis may have lost what it counted", seconds=max(waits) / 1000)
    return answers


def _mark_all(topology: "servers.Topology") -> None:
    """Begin the wait of every slot now, not when its first owner comes: else each would be another fail-over."""
    look = ("look", topology.trust_seconds * 1000, "[]", "", 0)
    calls = [((f"{tag}since", tag), look) for tag in map(_tag, range(SLOTS))]
    servers = _servers()
    with contextlib.suppress(*servers.ERRORS):
        servers.call_script(topology, SCRIPT, calls)


@cache
def _packed(limit: Limit) -> bytes:
    """A rate as RULE in the script reads it; nothing for what is no rate."""
    if limit.counts is not Counts.ATTEMPTS or not limit.window_seconds:
        return b""
    shape = shape_of(limit)
    numbers = struct.pack(">IQI", shape["slot"], shape["span"], shape["allowed"])
    return limit.purpose.encode() + b"\0" + numbers[:4] + numbers[6:]  # 48 bits of the span


def _rules(claims: Claims, act: str = "") -> str:
    """Claims as the script reads them: JSON, without zeros."""
    return f"[{','.join([f'{{{act}{_rule(claim)}}}' for claim in claims])}]"


def _rule(claim: Claim) -> str:
    member = member_of(claim)
    named = f'"member":"{member}",' if member else ""
    return f'"name":{quoted(_name(claim.limit.purpose, claim.key))},{named}{_shape(claim.limit)}'


def _name(purpose: str, key: str | None) -> str:
    return f"{purpose}:{key}" if key else purpose


@cache
def _shape(limit: Limit) -> str:
    return json.dumps({name: value for name, value in shape_of(limit).items() if value})[1:-1]


def _verdicts(answer: bytes) -> dict[str, Any]:
    """What a store says of a reservation. Where rates were granted the script only says what was used of each."""
    if answer.startswith(GRANTED_RATES):
        at, *used = struct.unpack_from(f">Q{(len(answer) - 9) // 4}I", answer, 1)
        return {"granted": True, "at": at, "verdicts": [{**GRANTED, "used": one} for one in used]}
    head, *verdicts = answer.decode().split(";")
    granted, _, now = head.partition(",")
    return {
        "granted": granted == "1",
        "at": int(now),
        "verdicts": [_verdict(verdict) for verdict in verdicts],
    }


def _verdict(text: str) -> dict[str, int]:
    """One rule's verdict; what a granted one leaves out is 0."""
    told = dict(zip(GRANTED, map(int, text.split(",")), strict=False))
    return {**GRANTED, **told}
