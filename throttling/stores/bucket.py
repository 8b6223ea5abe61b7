"""The algorithm of one bucket, in Python; ``bucket_functions.sql`` and ``redis.lua`` say the same, name by
name.

A bucket is ``marks`` {name: [until, n]}, ``flights`` {reservation id: [until, member]}, ``level`` (locks so
far), ``locked`` (until) and ``unsaid`` [[level, locked]], locks that nobody was told of yet. All times are
milliseconds of the store's own clock.

A mark lives for the rule's ``span`` after the end of its ``slot``. Slots make the window slide in about SLOTS
marks a bucket: a count is dropped late, by up to one slot, never early, so that no rolling window ever holds
more than ``allowed``. Limits of up to SLOTS counts use slots of one millisecond, which is an exact log. A
flight that is not settled in time becomes a failure at the moment it expires; a lock that it begins is unsaid
until a settlement tells it. Redis keeps none: rates begin no lock.
"""

from functools import cache
from hashlib import blake2b
from typing import Any

from throttling.limits import Counts, Limit
from throttling.reservations import Claim, Clear

SLOTS = 60
NEVER_MS = 1000 * 366 * 86_400_000  # a thousand years; sums stay exact in the 14 digits of Redis' JSON

State = dict[str, Any]
Rule = dict[str, Any]
Verdict = dict[str, int]


def rule_of(claim: Claim) -> Rule:
    """Return what a store needs to know of a claim, in milliseconds."""
    owner, purpose, key = claim.bucket
    return {
        **shape_of(claim.limit),
        "owner": owner,
        "purpose": purpose,
        "key": key,
        "member": member_of(claim),
    }


@cache
def shape_of(limit: Limit) -> Rule:
    """Return what all rules of a limit have in common."""
    window = limit.window_seconds * 1000
    distinct = limit.counts is Counts.DISTINCT_FAILURES
    return {
        "attempts": limit.counts is Counts.ATTEMPTS,
        "distinct": distinct,
        "allowed": limit.allowed,
        "span": window or limit.forget_seconds * 1000 or NEVER_MS,
        "slot": window // SLOTS if window and limit.allowed > SLOTS and not distinct else 1,
        "lock": limit.lock_seconds * 1000,
        "lock_max": limit.lock_max_seconds * 1000,
    }


def kept_ms(limit: Limit, at: int | None = None) -> int:
    """Return how long a count made at ``at`` stays in a window, in milliseconds; None: at most."""
    slot, span = _window_of(limit)
    return span + slot - 1 - (0 if at is None else at % slot)


@cache
def _window_of(limit: Limit) -> tuple[int, int]:
    rule = shape_of(limit)
    return rule["slot"], rule["span"]


def member_of(claim: Claim) -> str:
    """Return the name of a claim's mark; empty: that of its slot."""
    if claim.limit.counts is Counts.DISTINCT_FAILURES:
        return _digest(claim.member)
    return "" if claim.limit.window_seconds else "-"


def _digest(member: str) -> str:
    return blake2b(member.encode(), digest_size=9).hexdigest()


def clear_of(clear: Clear) -> list[Rule]:
    """Return the store's form of a clear, one a purpose."""
    return [{"owner": clear.owner, "purpose": purpose, "key": clear.key} for purpose in clear.purposes]


def drop(state: State, rule: Rule, at: int) -> None:
    """Forget dead marks, and the doubling once nothing failed for a span after the last lock."""
    state["marks"] = {name: mark for name, mark in state["marks"].items() if mark[0] > at}
    if not state["marks"] and state["locked"] + rule["span"] <= at:
        state["level"] = 0


def mark(state: State, rule: Rule, at: int, member: str) -> None:
    """Count once."""
    slot = at // rule["slot"]
    name = member or str(slot)
    n = state["marks"].get(name, [0, 0])[1]
    state["marks"][name] = [(slot + 1) * rule["slot"] + rule["span"], 1 if rule["distinct"] else n + 1]


def fail(state: State, rule: Rule, at: int, member: str) -> None:
    """Count a failure; the one that reaches ``allowed`` starts the lock."""
    drop(state, rule, at)
    mark(state, rule, at, member)
    if used(state) < rule["allowed"]:
        return
    state["hit"] = True
    if rule["lock"]:
        state["locked"] = at + min(rule["lock"] << min(state["level"], 30), rule["lock_max"])
        state["level"] += 1
        state["marks"] = {}


def load(state: State | None, rule: Rule, now: int) -> State:
    """Bring a stored state to ``now``: flights that expired are failures."""
    state = {"marks": {}, "flights": {}, "level": 0, "locked": 0, "unsaid": [], **(state or {}), "hit": False}
    flights = sorted((until, id_, member) for id_, (until, member) in state["flights"].items())
    state["flights"] = {id_: [until, member] for until, id_, member in flights if until > now}
    for until, _, member in flights:
        if until <= now:
            fail(state, rule, until, member)
        if state["hit"]:
            state["unsaid"].append([state["level"], state["locked"]])
            state["hit"] = False
    drop(state, rule, now)
    return state


def used(state: State) -> int:
    return sum(n for _, n in state["marks"].values())


def judge(state: State, rule: Rule, now: int) -> Verdict:
    """Tell what stands: ``wait`` 0 grants, above 0 is milliseconds, -1 means only flights are in the way."""
    members = [member for _, member in state["flights"].values()]
    if rule["distinct"]:
        members = list(set(members) - state["marks"].keys())
    need = 0 if rule["distinct"] and (rule["member"] in members or rule["member"] in state["marks"]) else 1
    untils = [until for until, _ in state["marks"].values()]
    count = used(state)
    if state["locked"] > now:
        wait = state["locked"] - now
    elif count + need > rule["allowed"]:
        wait = min(untils) - now
    else:
        wait = -1 if count + len(members) + need > rule["allowed"] else 0
    reset = max([state["locked"], now, *untils]) - now
    return {
        "used": count, "pending": len(members), "need": need, "wait": wait, "reset": reset,
        "level": state["level"], "locked": state["locked"], "unsaid": len(state["unsaid"]),
    }  # fmt: skip


def take(state: State, rule: Rule, now: int, id_: str, ttl: int) -> None:
    """Reserve in this bucket: an attempt counts at once, anything else is in flight."""
    if rule["attempts"]:
        mark(state, rule, now, rule["member"])
    else:
        state["flights"][id_] = [now + ttl, rule["member"]]


def finish(state: State, rule: Rule, now: int, id_: str, at: int, outcome: str) -> list[list[int]]:
    """End a reservation made at ``at``: outcome ``failed``, ``passed``, ``released`` or ``told`` (of no
    reservation). Unknown flights change nothing. Return the locks that were unsaid; a release tells none.
    """
    flight = state["flights"].pop(id_, None)
    name = str(at // rule["slot"])
    if flight and outcome == "failed":
        fail(state, rule, now, flight[1])
    if rule["attempts"] and outcome == "released" and name in state["marks"]:
        state["marks"][name][1] -= 1
        if not state["marks"][name][1]:
            del state["marks"][name]
    told, state["unsaid"] = ([], state["unsaid"]) if outcome == "released" else (state["unsaid"], [])
    return told


def wipe(state: State, now: int) -> None:
    """Clear: only flights under way stay, since their guesses are still being evaluated."""
    state["flights"] = {id_: flight for id_, flight in state["flights"].items() if flight[0] > now}
    state.update(marks={}, level=0, locked=0, unsaid=[])


def expiry(state: State, rule: Rule) -> int:
    """Return when this state equals no state (0: now)."""
    after_flight = rule["span"] + rule["slot"] + rule["lock_max"]
    times: list[int] = [until for until, _ in state["marks"].values()]
    times += [until + after_flight for until, _ in state["flights"].values()]
    remembered: int = state["locked"] + rule["span"] if state["level"] else 0
    return max([remembered, *times])
