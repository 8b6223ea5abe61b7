"""Random interleavings: no store grants what the model refuses, nor refuses what the model allows."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import scaled
from tests.unit.throttling.conftest import Store
from tests.unit.throttling.model import Model
from throttling import limiter
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded, Reservation
from throttling.stores import bucket, redis
from throttling.stores.bucket import rule_of

RATES = (
    Limit("requests", 3, 20, Counts.ATTEMPTS),
    Limit("refresh", 12, 60, Counts.ATTEMPTS),
    Limit("mail_source", 7, 45, Counts.ATTEMPTS),
)
LIMITS = (
    *RATES[:2],
    Limit("totp_account", 2, 45, Counts.FAILURES),
    Limit("totp_consecutive", 4, 0, Counts.FAILURES),
    Limit("password_account_source", 2, 0, Counts.FAILURES, 40, 100, forget_seconds=90),
    Limit("spraying", 2, 50, Counts.DISTINCT_FAILURES),
)
OUTCOMES = ("failed", "passed", "released")
MEMBERS = ("ann", "ben", "eve")
STEPS_MS = (1, 997, 7_003, 29_989, 61_003)
INTERLEAVING = settings(
    max_examples=scaled(120, 2000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def steps_over(limits: tuple[Limit, ...]) -> st.SearchStrategy[list[tuple]]:
    step = st.one_of(
        st.tuples(
            st.just("reserve"),
            st.sets(st.sampled_from(limits), min_size=1, max_size=4),
            st.sampled_from(MEMBERS),
        ),
        st.tuples(st.just("settle"), st.integers(0, 5), st.sampled_from(OUTCOMES)),
        st.tuples(st.just("advance"), st.sampled_from(STEPS_MS), st.none()),
        st.tuples(st.just("clear"), st.sampled_from(limits), st.none()),
    )
    return st.lists(step, max_size=40)


@pytest.fixture(autouse=True)
def few_slots(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A limit of twelve counts is grouped into slots: short histories never reach one of more than sixty."""
    monkeypatch.setattr(bucket, "SLOTS", 10)
    remembered = (bucket.shape_of, bucket._window_of, redis._packed, redis._shape)
    for shapes in remembered:
        shapes.cache_clear()
    yield
    for shapes in remembered:
        shapes.cache_clear()


@dataclass
class Run:
    """One history, told to the store and to the model."""

    store: Store
    owner: str
    models: dict[Limit, Model] = field(
        default_factory=lambda: {limit: Model(limit) for limit in {*LIMITS, *RATES}}
    )
    open: dict[int, Reservation] = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=itertools.count)

    def reserve(self, limits: set[Limit], member: str) -> None:
        claims = [Claim(limit, self.owner, member=member) for limit in limits]
        now, number = self.store.now_ms, next(self.numbers)
        for limit in limits:
            self.models[limit].settle_expired(now)
        try:
            self.open[number] = limiter.reserve(*claims)
        except LimitExceeded as refusal:
            self.check_refusal(refusal, claims, member)
            return
        for limit in limits:
            assert self.models[limit].may(now, member, slack_ms=0)
            self.models[limit].reserve(number, now, member)

    def check_refusal(self, refusal: LimitExceeded, claims: list[Claim], member: str) -> None:
        now = self.store.now_ms
        slack = {claim.limit: rule_of(claim)["slot"] for claim in claims}
        assert not all(self.models[limit].may(now, member, slack_ms=slack[limit]) for limit in slack)
        assert not refusal.in_flight or self.models[refusal.limit].may(now, member, slack_ms=0, flights=False)

    def settle(self, index: int, outcome: str) -> None:
        if index >= len(self.open):
            return
        number = list(self.open)[index]
        reservation = self.open.pop(number)
        for claim in reservation.claims:
            model = self.models[claim.limit]
            model.settle_expired(self.store.now_ms)
            model.settle(number, self.store.now_ms, outcome)
        if outcome == "released":
            limiter.release(reservation)
        else:
            limiter.settle(reservation, failed=outcome == "failed")

    def advance(self, milliseconds: int, _: None) -> None:
        self.store.advance(milliseconds)

    def clear(self, limit: Limit, _: None) -> None:
        self.models[limit].settle_expired(self.store.now_ms)
        self.models[limit].clear()
        limiter.clear(self.owner, purposes=[limit.purpose])


@INTERLEAVING
@given(steps=steps_over(LIMITS))
def test_stores_and_model_agree(clocked: Store, steps: list[tuple]) -> None:
    follow(clocked, steps)


@INTERLEAVING
@given(steps=steps_over(RATES))
def test_stores_and_model_agree_on_rates_alone(clocked: Store, steps: list[tuple]) -> None:
    follow(clocked, steps)


def follow(store: Store, steps: list[tuple]) -> None:
    run = Run(store, store.owner())
    for kind, first, second in steps:
        getattr(run, kind)(first, second)
