"""The limiter: reserve before a secret is checked, settle after.

Promises: claims are granted all together or not at all, and what a limit counts never exceeds it, however
many threads, processes and nodes ask at once. A reservation left alone expires as a failure. Refuses with
LimitExceeded; without a store that can decide, with StoreUnavailable, never with a yes.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from throttling import metrics
from throttling.headers import note_usage
from throttling.limits import Counts
from throttling.reservations import (
    Claim,
    Clear,
    LimitExceeded,
    Locked,
    Part,
    Reservation,
    Settlement,
    StoreUnavailable,
    Usage,
)
from throttling.stores import database, redis, refusal_memory, routing
from throttling.stores.bucket import Rule, clear_of, kept_ms, rule_of

RESERVATION_SECONDS = 30


def claim(purpose: str, owner: str, key: str = "", member: str = "") -> Claim:
    """Return a claim on the configured limit of this purpose."""
    return Claim(settings.LIMITS[purpose], owner, key, member)


def reserve(*claims: Claim) -> Reservation:
    """Reserve all claims or none, and commit that at once. Call it outside any transaction.

    Raises LimitExceeded, StoreUnavailable; ValueError when two claims share a bucket.
    """
    return metrics.counted(decide, claims)


def decide(*claims: Claim) -> Reservation:
    """Like ``reserve``, for who may ask again before it is a refusal: nothing is counted as a decision."""
    by_bucket = {claim.bucket: claim for claim in claims}
    if not claims or len(by_bucket) < len(claims):
        raise ValueError("a reservation takes one or more claims, each on its own bucket")
    ordered = [by_bucket[bucket] for bucket in sorted(by_bucket)]
    refusal_memory.check(ordered)
    try:
        return _ask_stores(ordered)
    except LimitExceeded as refusal:
        refusal_memory.remember(refusal)
        raise
    finally:
        routing.announce()


def _ask_stores(pending: list[Claim]) -> Reservation:
    held = Reservation(secrets.token_hex(8), tuple(pending), (), ())
    # The account first: a place of its source that is taken, only to be given back, would refuse others meanwhile.
    lasting, groups = routing.divide(pending)
    if lasting:
        held = _reserve_in_database(held, lasting)
    if not groups:
        return held
    try:
        answers = redis.reserve(groups, held.id, RESERVATION_SECONDS * 1000)
    except StoreUnavailable as error:
        routing.note_failure(error)
        return _reserve_in_database(held, tuple(claim for group in groups for claim in group))
    routing.note_answer()
    return _add("redis", held, list(zip(groups, answers, strict=True)))


def _reserve_in_database(held: Reservation, claims: tuple[Claim, ...]) -> Reservation:
    try:
        answer = database.reserve(_rules(claims), held.id, RESERVATION_SECONDS * 1000)
    except StoreUnavailable:
        release(held)
        raise
    return _add("database", held, [(claims, answer)])


def _rules(claims: Iterable[Claim]) -> list[Rule]:
    return [rule_of(claim) for claim in claims]


def _add(
    store: str, held: Reservation, decided: list[tuple[tuple[Claim, ...], dict[str, Any]]]
) -> Reservation:
    """Add a store's grants to ``held``; a refusal among them gives back all that was granted."""
    metrics.count(metrics.STORE_DECISIONS, store)
    usage, parts = held.usage, held.parts
    refused: list[tuple[Claim, dict[str, int]]] = []
    for claims, answer in decided:
        verdicts, at = answer["verdicts"], answer["at"]
        if answer["granted"]:
            told = tuple([_usage_of_grant(*pair, at) for pair in zip(claims, verdicts, strict=True)])
            parts = (*parts, Part(store, claims, at))
        else:
            told = tuple([_usage(*pair) for pair in zip(claims, verdicts, strict=True)])
            refused += zip(claims, verdicts, strict=True)
        note_usage(told)
        usage += told
    held = Reservation(held.id, held.claims, usage, parts)
    if refused:
        release(held)
        raise _refusal(refused, usage)
    return held


def _usage_of_grant(claim: Claim, verdict: dict[str, int], at_ms: int) -> Usage:
    """What is left of a limit that granted; of a rate, all is back when the count that it granted ends."""
    limit = claim.limit
    free = limit.allowed - verdict["used"] - verdict["pending"] - verdict["need"]
    reset = kept_ms(limit, at_ms) if limit.counts is Counts.ATTEMPTS else verdict["reset"]
    return Usage(limit, free, -(-reset // 1000))


def _usage(claim: Claim, verdict: dict[str, int]) -> Usage:
    """What is left of a limit that was part of a refusal; some of it is back when it ends."""
    refuses = verdict["wait"] > 0
    free = claim.limit.allowed - verdict["used"] - verdict["pending"]
    reset = verdict["wait"] if refuses else verdict["reset"]
    return Usage(claim.limit, 0 if refuses else max(0, free), _seconds(reset), refuses)


def _refusal(refused: list[tuple[Claim, dict[str, int]]], usage: tuple[Usage, ...]) -> LimitExceeded:
    unsaid = tuple(claim for claim, verdict in refused if verdict.get("unsaid"))
    claim, verdict = max(refused, key=lambda pair: (pair[1]["wait"] > 0, abs(pair[1]["wait"])))
    in_flight, count = verdict["wait"] < 0, verdict["used"]
    if not in_flight:
        count = max(count, claim.limit.allowed)  # a lock forgets the failures that began it
    return LimitExceeded(
        claim,
        wait_seconds=verdict["wait"] / 1000,
        count=count,
        in_flight=in_flight,
        usage=usage,
        unsaid=unsaid,
    )


def settle(reservation: Reservation, *, failed: bool, clear: tuple[Clear, ...] = ()) -> Settlement:
    """End a reservation as failure or success, and clear buckets, inside the caller's transaction where
    there is one.

    Tells the locks that this failure began, and those that expired reservations did and nobody was told of.

    One statement on PostgreSQL. One call a transaction: two could lock buckets in opposite orders. What
    Redis holds is counted at once when failed, and given back only after the commit when not. Raises
    StoreUnavailable.
    """
    outcome = "failed" if failed else "passed"
    results = [(part, _settle_part(part, reservation.id, outcome, clear)) for part in reservation.parts]
    if clear and all(part.store != "database" for part in reservation.parts):
        database.settle(_clears(clear), reservation.id, 0)
    return _settlement(
        (claim, answer)
        for part, answers in results
        for claim, answer in zip(_settled(part, outcome), answers, strict=False)
    )


def tell(refusal: LimitExceeded) -> Settlement:
    """Take up the locks that expired reservations began and this refusal found, in the caller's transaction:
    exactly one caller is told of each. Raises StoreUnavailable.
    """
    if not refusal.unsaid:
        return Settlement()
    operations = [{**rule_of(claim), "do": "told"} for claim in refusal.unsaid]
    return _settlement(zip(refusal.unsaid, database.settle(operations, "", 0), strict=True))


def _settlement(settled: Iterable[tuple[Claim, dict[str, Any]]]) -> Settlement:
    locked = [_locked(claim, began) for claim, answer in settled for began in _began(answer)]
    for one in locked:
        counted = partial(metrics.count, metrics.LOCKOUTS, one.limit.purpose)
        transaction.on_commit(counted, robust=True)
    return Settlement(tuple(locked))


def _began(answer: dict[str, Any]) -> list[tuple[int, int]]:
    """Level and end of each lock that a store's answer tells."""
    unsaid = [(level, until) for level, until in answer.get("unsaid", ())]
    return [*unsaid, (answer["level"], answer["locked"])] if answer["hit"] else unsaid


def release(reservation: Reservation) -> None:
    """Undo a reservation as if it never was, attempts included: nothing was evaluated. Raises
    StoreUnavailable.
    """
    for part in reservation.parts:
        _settle_part(part, reservation.id, "released", ())


def clear(owner: str, *, purposes: Iterable[str], key: str | None = None) -> None:
    """Forget failures, locks and doubling of these purposes of ``owner``; ``key`` None means all keys.

    Reservations in flight stay. Inside the caller's transaction where there is one. Raises StoreUnavailable.
    """
    clear_all((Clear(owner, tuple(purposes), key),))


def clear_all(clears: tuple[Clear, ...]) -> None:
    """Like ``clear``, for several owners in one statement."""
    refusal_memory.forget()
    for one in clears:
        if routing.is_volatile(one.owner) and settings.REDIS_URL and not routing.is_tripped():
            try:
                redis.clear(one)
            except StoreUnavailable as error:
                routing.note_failure(error)
    database.settle(_clears(clears), "", 0)


def prune() -> int:
    """Delete expired buckets of the database and return how many; Redis expires its own."""
    return database.prune()


def _settle_part(part: Part, id_: str, outcome: str, clear: tuple[Clear, ...]) -> list[dict[str, Any]]:
    claims = _settled(part, outcome)
    if part.store == "database":
        operations = [{**rule_of(claim), "do": outcome} for claim in claims] + _clears(clear)
        return database.settle(operations, id_, part.at_ms) if operations else []
    if not claims:
        return []
    if outcome == "passed":
        transaction.on_commit(lambda: _settle_redis(part, claims, id_, outcome) and None, robust=True)
        return []
    return _settle_redis(part, claims, id_, outcome)


def _settle_redis(part: Part, claims: list[Claim], id_: str, outcome: str) -> list[dict[str, Any]]:
    """What can't be settled expires as a failure, which is the safe side."""
    try:
        return redis.settle(claims, id_, part.at_ms, outcome)
    except StoreUnavailable as error:
        routing.note_failure(error)
        return []


def _settled(part: Part, outcome: str) -> list[Claim]:
    return [one for one in part.claims if outcome == "released" or one.limit.counts is not Counts.ATTEMPTS]


def _clears(clear: tuple[Clear, ...]) -> list[Rule]:
    return [{**rule, "do": "clear"} for one in clear for rule in clear_of(one)]


def _locked(claim: Claim, began: tuple[int, int]) -> Locked:
    level, until = began
    return Locked(
        claim.limit, claim.owner, claim.key, moment(until) if claim.limit.lock_seconds else None, level
    )


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _seconds(milliseconds: int) -> int:
    return int(-(-milliseconds // 1000))
