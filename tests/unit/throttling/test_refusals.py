"""A rate that is used up is refused from memory for a moment, without asking its store."""

import contextlib
import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.throttling.conftest import Store
from throttling import limiter
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded
from throttling.stores import database, redis, refusal_memory

RATE = Limit("requests", 2, 60, Counts.ATTEMPTS)
LOCKING = Limit("password_account_source", 1, 0, Counts.FAILURES, 900, 3600, forget_seconds=3600)


@pytest.fixture(autouse=True)
def remembering(unbroken_circuit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_memory, "MEMORY_SECONDS", 1.0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each call of a store."""
    calls: list[str] = []
    for module in (database, redis):
        real: Callable[..., Any] = module.reserve

        def reserve(*values: Any, real: Callable[..., Any] = real, name: str = module.__name__) -> Any:
            calls.append(name)
            return real(*values)

        monkeypatch.setattr(module, "reserve", reserve)
    return calls


def refuse(claim: Claim) -> LimitExceeded:
    with pytest.raises(LimitExceeded) as refusal:
        limiter.reserve(claim)
    return refusal.value


def test_repeated_refusal_asks_no_store_and_tells_the_same(store: Store, asked: list[str]) -> None:
    store.used += 1
    claim = Claim(RATE, f"source:{store.name}{store.used}")
    for _ in range(2):
        limiter.reserve(claim)
    first = refuse(claim)
    asked.clear()
    again = refuse(claim)
    assert not asked
    assert (first.is_repeated, again.is_repeated) == (False, True)
    assert first.retry_after_seconds - 1 <= again.retry_after_seconds <= first.retry_after_seconds
    assert (again.limit, again.count, again.in_flight) == (first.limit, first.count, False)


def test_store_is_asked_again_after_a_moment(
    store: Store, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(RATE, f"source:again{store.name}")
    for _ in range(2):
        limiter.reserve(claim)
    refuse(claim)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 1.1)
    asked.clear()
    assert not refuse(claim).is_repeated
    assert asked


def test_store_is_asked_again_once_what_was_told_has_passed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Claim(RATE, f"source:soon{store.name}")
    refusal_memory.remember(LimitExceeded(claim, wait_seconds=0.3, count=2))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 0.31)
    assert limiter.reserve(claim).usage[0].remaining == 1


def test_what_was_cleared_is_open_at_once(store: Store) -> None:
    claim = Claim(RATE, f"source:cleared{store.name}")
    for _ in range(2):
        limiter.reserve(claim)
    refuse(claim)
    limiter.clear(claim.owner, purposes=[RATE.purpose])
    limiter.reserve(claim)


def test_lock_of_an_account_is_never_refused_from_memory(store: Store, asked: list[str]) -> None:
    claim = Claim(LOCKING, "account:remembered" + store.name)
    limiter.settle(limiter.reserve(claim), failed=True)
    refuse(claim)
    assert not refuse(claim).is_repeated
    limiter.clear(claim.owner, purposes=[LOCKING.purpose])
    limiter.release(limiter.reserve(claim))


def test_memory_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_memory, "MOST_REMEMBERED", 3)
    for number in range(10):
        claim = Claim(RATE, f"source:{number}")
        refusal_memory.remember(LimitExceeded(claim, wait_seconds=30, count=2))
    assert len(refusal_memory._remembered) <= 3


class Typed:
    """What a request holds, such as a password."""


def test_memory_keeps_nothing_of_the_request(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of a refusal that was kept would hold each of its frames, and what is in them."""
    monkeypatch.setattr(refusal_memory, "MEMORY_SECONDS", 30.0)
    store.used += 1
    claim = Claim(RATE, f"source:{store.name}{store.used}")
    kept: list[weakref.ref[Typed]] = []

    def ask() -> None:
        typed = Typed()
        kept.append(weakref.ref(typed))
        with contextlib.suppress(LimitExceeded):
            limiter.reserve(claim)

    for _ in range(5):
        ask()
    gc.collect()
    assert [one() for one in kept] == [None] * 5
    assert refuse(claim).is_repeated
