"""The limiter counts what it decided, and no count can fail it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from tests.unit.throttling.conftest import Store, only
from throttling import limiter, metrics, waiting
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded
from throttling.stores import routing

ATTEMPTS = Limit("requests", 1, 60, Counts.ATTEMPTS)
LOCKING = Limit("password_account_source", 1, 0, Counts.FAILURES, 900, 3600, forget_seconds=3600)


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"secure_auth_{name}_total", labels) or 0.0


def change(call: Callable[[], Any], name: str, **labels: str) -> float:
    before = value(name, **labels)
    call()
    return value(name, **labels) - before


def refused(call: Callable[..., Any], claim: Claim) -> None:
    with pytest.raises(LimitExceeded):
        call(claim)


def test_granted_and_refused_are_counted_by_limit_and_store(store: Store) -> None:
    claim = Claim(ATTEMPTS, store.owner())
    name, label = "limit_decisions", {"limit": "requests"}
    where = {"store": "redis" if store.name == "redis" else "database"}
    assert change(lambda: limiter.reserve(claim), name, outcome="granted", **label) == 1
    assert change(lambda: refused(limiter.reserve, claim), name, outcome="refused", **label) == 1
    assert change(lambda: refused(limiter.reserve, claim), "limit_store_decisions", **where) == 1


def test_attempt_that_waits_is_one_decision(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.1)
    claim = Claim(LOCKING, store.owner())
    limiter.reserve(claim)
    call = lambda: refused(waiting.reserve_waiting, claim)  # noqa: E731
    assert change(call, "limit_decisions", limit=LOCKING.purpose, outcome="in_flight") == 1
    assert change(call, "limit_decisions", limit=LOCKING.purpose, outcome="refused") == 0


def test_lockout_is_counted_when_it_is_committed(store: Store) -> None:
    def fail(*, roll_back: bool) -> None:
        with transaction.atomic():
            limiter.settle(limiter_reservation, failed=True)
            transaction.set_rollback(roll_back)

    limiter_reservation = limiter.reserve(Claim(LOCKING, store.owner()))
    if store.name != "redis":  # it counts a failure at once, whatever becomes of the transaction
        assert change(lambda: fail(roll_back=True), "lockouts", limit=LOCKING.purpose) == 0
    assert change(lambda: fail(roll_back=False), "lockouts", limit=LOCKING.purpose) == 1


@only("sqlite")
def test_fail_over_is_counted_once(store: Store) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        first = lambda: limiter.reserve(Claim(ATTEMPTS, "source:198.51.100.9"))  # noqa: E731
        assert change(first, "limit_store_failovers", store="redis") == 1
        assert change(routing.trip, "limit_store_failovers", store="redis") == 0


@only("sqlite")
def test_fault_of_a_counter_fails_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*labels: str) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(metrics.DECISIONS, "labels", broken)
    assert limiter.reserve(Claim(ATTEMPTS, store.owner())).claims


def test_labels_are_closed_words() -> None:
    names = {label for counter in metrics.REGISTRY._collector_to_names for label in counter._labelnames}  # type: ignore[attr-defined]
    assert names <= {"limit", "outcome", "store", "status", "reason", "resource"}
