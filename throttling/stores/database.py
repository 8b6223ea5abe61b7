"""Buckets in the database: one statement on PostgreSQL, one IMMEDIATE transaction on SQLite.

Promises: exact under any concurrency, since every call holds its buckets (SQLite: the database) from before
it reads until it commits. On PostgreSQL the functions of ``migrations/bucket_functions.sql`` decide, by the
server's clock; on SQLite ``throttling.stores.bucket`` does, by the host's. Errors of the connection become
StoreUnavailable.
"""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.backends.utils import CursorWrapper

from throttling.models import Bucket
from throttling.reservations import StoreUnavailable
from throttling.stores import bucket
from throttling.stores.bucket import Rule, State

GRID_SECONDS = 900
STEP_MS = 60_000  # a host's clock that is set back by less makes nobody wait longer than that
BATCH = 1_000  # each holds a lock until the commit, and the server has a place for some thousands
PRUNE = f"""
WITH dead AS MATERIALIZED (
    SELECT owner, purpose, key FROM throttling_bucket WHERE expires_at <= clock_timestamp() LIMIT {BATCH}
), held AS MATERIALIZED (
    SELECT * FROM dead
     WHERE pg_try_advisory_xact_lock(hashtextextended(concat_ws(E'\\x1f', owner, purpose, key), 6238))
)
DELETE FROM throttling_bucket b USING held
 WHERE (b.owner, b.purpose, b.key) = (held.owner, held.purpose, held.key)
   AND b.expires_at <= clock_timestamp()
"""  # noqa: S608 constant

# SQLite. Not the ORM's: building its queries took a third of a login's CPU time beside the hash.
# Joined in this order: for IN with more rows than one, SQLite reads every bucket that there is.
READ = """
SELECT owner, purpose, key, state FROM (VALUES {}) AS wanted CROSS JOIN throttling_bucket
 WHERE owner = column1 AND purpose = column2 AND key = column3
"""
SAVE = """
INSERT INTO throttling_bucket (owner, purpose, key, state, expires_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (owner, purpose, key) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at
"""
UPDATE = "UPDATE throttling_bucket SET state = %s WHERE owner = %s AND purpose = %s AND key = %s"
DELETE = "DELETE FROM throttling_bucket WHERE owner = %s AND purpose = %s AND key = %s"


def reserve(rules: list[Rule], id_: str | None, ttl_ms: int) -> dict[str, Any]:
    """Reserve all rules (sorted by bucket) or none, and commit; ``id_`` None only looks.

    Answers ``granted``, ``at`` (milliseconds) and one verdict a rule. Raises StoreUnavailable; RuntimeError
    inside a transaction, which could undo the reservation.
    """
    if id_ and connection.in_atomic_block:
        raise RuntimeError("reserve() commits by itself and must be called outside any transaction")
    with _unavailable():
        if connection.vendor == "postgresql":
            answer: dict[str, Any] = _call("throttling_reserve", rules, id_, ttl_ms)
            return answer
        if id_ is None:
            return _reserve(rules, None, ttl_ms)
        with _seen_at_once(rules), transaction.atomic():
            return _reserve(rules, id_, ttl_ms)


def settle(operations: list[Rule], id_: str, at_ms: int) -> list[dict[str, Any]]:
    """End a reservation and clear buckets, in the caller's transaction if any. Raises StoreUnavailable."""
    with _unavailable():
        if connection.vendor == "postgresql":
            answer: list[dict[str, Any]] = _call("throttling_settle", operations, id_, at_ms)
            return answer
        with transaction.atomic(savepoint=False):  # as on PostgreSQL, an error ends the caller's transaction
            return _settle(_expand(operations), id_, at_ms)


def keys(owner: str) -> list[tuple[str, str]]:
    """Return (purpose, key) of every bucket of ``owner``."""
    with _unavailable():
        return list(
            Bucket.objects.filter(owner=owner).order_by("purpose", "key").values_list("purpose", "key")
        )


def find(purposes: tuple[str, ...], key: str | None) -> list[tuple[str, str, str]]:
    """Return (owner, purpose, key) of every bucket of these purposes, in the order of locks; ``key`` None
    means all keys.
    """
    found = Bucket.objects.filter(purpose__in=purposes)
    if key is not None:
        found = found.filter(key=key)
    with _unavailable():
        return sorted(found.values_list("owner", "purpose", "key"))


def prune() -> int:
    """Delete the buckets whose state equals no state, BATCH by BATCH; never waits for one in use."""
    with _unavailable():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                done, is_more = 0, True
                while is_more:
                    cursor.execute(PRUNE)
                    done, is_more = done + cursor.rowcount, cursor.rowcount == BATCH
                return done
        return Bucket.objects.filter(expires_at__lte=datetime.fromtimestamp(now_ms() / 1000, UTC)).delete()[0]


def now_ms() -> int:
    """The host's clock, for SQLite."""
    return time.time_ns() // 1_000_000


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable("the database is away") from error


def _call(function: str, rules: list[Rule], id_: str | None, number: int) -> Any:
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    # Prepared once a connection: Django's own cursor has the statement parsed and planned anew each time.
    with CursorWrapper(psycopg.Cursor(database.connection), database) as cursor:
        cursor.execute(f"SELECT {function}(%s::jsonb, %s::text, %s)", [json.dumps(rules), id_, number])
        return json.loads(cursor.fetchone()[0])


@contextmanager
def _seen_at_once(rules: list[Rule]) -> Iterator[None]:
    """SQLite: what only counts requests is on the disk with the next commit that is waited for.

    A power cut may forget what a source's or a session's rate granted just before, as a Redis would. No guess is
    counted so.
    """
    if not all(rule["attempts"] and rule["owner"].startswith(("source:", "session:")) for rule in rules):
        yield
        return
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    with database.wrap_database_errors:
        database.connection.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        _wait_for_the_disk(database)


def _wait_for_the_disk(database: Any) -> None:
    """A connection that cannot be told so is closed: a new one begins with it."""
    try:
        if database.connection is not None:
            with database.wrap_database_errors:
                database.connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        database.close()
        raise


def _reserve(rules: list[Rule], id_: str | None, ttl_ms: int) -> dict[str, Any]:
    stored, now = _read(rules), now_ms()
    states = [bucket.load(_in_step(stored.get(_identity(rule)), now), rule, now) for rule in rules]
    verdicts = [bucket.judge(state, rule, now) for state, rule in zip(states, rules, strict=True)]
    granted = all(verdict["wait"] == 0 for verdict in verdicts)
    if granted and id_:
        for state, rule in zip(states, rules, strict=True):
            bucket.take(state, rule, now, id_, ttl_ms)
        _save(zip(states, rules, strict=True))
    return {"granted": granted, "at": now, "verdicts": verdicts}


def _in_step(state: State | None, now: int) -> State | None:
    """Let go of what a clock that was ahead would hold shut for as long as it was, but of nothing that never ages."""
    if state and state.get("at", 0) > now + STEP_MS:
        state["marks"] = {name: mark for name, mark in state["marks"].items() if name == "-"}
        state.update(flights={}, locked=min(state["locked"], now))
    return state


def _settle(operations: list[Rule], id_: str, at_ms: int) -> list[dict[str, Any]]:
    answers, now, stored = [], now_ms(), _read(operations)
    changed: dict[tuple[str, str, str], tuple[State, Rule]] = {}
    for rule in operations:
        state = stored.get(_identity(rule))
        if rule["do"] == "clear":
            _save(changed.values())
            changed.clear()
            _wipe(_in_step(state, now), rule, now)
            continue
        state = bucket.load(_in_step(state, now), rule, now)
        unsaid = bucket.finish(state, rule, now, id_, at_ms, rule["do"])
        stored[_identity(rule)] = state
        changed[_identity(rule)] = (state, rule)
        answers.append({**{name: state[name] for name in ("hit", "level", "locked")}, "unsaid": unsaid})
    _save(changed.values())
    return answers


def _expand(operations: list[Rule]) -> list[Rule]:
    expanded = [rule for rule in operations if rule["key"] is not None]
    for rule in operations:
        if rule["key"] is None:
            found = Bucket.objects.filter(owner=rule["owner"], purpose=rule["purpose"]).values_list(
                "key", flat=True
            )
            expanded += [{**rule, "key": key} for key in found]
    return sorted(expanded, key=lambda rule: (*_identity(rule), rule["do"] == "clear"))


def _identity(rule: Rule) -> tuple[str, str, str]:
    return (rule["owner"], rule["purpose"], rule["key"])


def _read(rules: list[Rule]) -> dict[tuple[str, str, str], State]:
    identities = dict.fromkeys(map(_identity, rules))
    if not identities:
        return {}
    with connection.cursor() as cursor:
        places = ", ".join(["(%s, %s, %s)"] * len(identities))
        cursor.execute(READ.format(places), [part for identity in identities for part in identity])
        return {(owner, purpose, key): json.loads(state) for owner, purpose, key, state in cursor.fetchall()}


def _save(changed: Iterable[tuple[State, Rule]]) -> None:
    kept, gone, database = [], [], connections[DEFAULT_DB_ALIAS]
    for state, rule in changed:
        expires = bucket.expiry(state, rule)
        if expires == 0:
            gone.append(_identity(rule))
            continue
        until = datetime.fromtimestamp((expires // (GRID_SECONDS * 1000) + 1) * GRID_SECONDS, UTC)
        kept.append((*_identity(rule), _kept(state), database.ops.adapt_datetimefield_value(until)))
    with database.cursor() as cursor:
        if kept:
            cursor.executemany(SAVE, kept)
        if gone:
            cursor.executemany(DELETE, gone)


def _kept(state: State) -> str:
    kept = ("marks", "flights", "level", "locked", *(["unsaid"] if state.get("unsaid") else []))
    return json.dumps({**{name: state[name] for name in kept}, "at": now_ms()})


def _wipe(stored: State | None, rule: Rule, now: int) -> None:
    if stored is None:
        return
    bucket.wipe(stored, now)
    with connection.cursor() as cursor:
        if stored["flights"]:
            cursor.execute(UPDATE, [_kept(stored), *_identity(rule)])
        else:
            cursor.execute(DELETE, _identity(rule))
