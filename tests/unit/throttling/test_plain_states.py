"""The short way that Redis grants rates by, and what it leaves to the long one: both count the same."""

import json
import time
from random import Random

import pytest
from redis import Redis

from tests.unit.throttling.conftest import Store, only
from throttling import limiter
from throttling.inspection import status
from throttling.limits import Counts, Limit
from throttling.reservations import Claim, LimitExceeded, StoreUnavailable
from throttling.stores import redis, servers

MAIL = Limit("mail_source", 3, 60, Counts.ATTEMPTS)
PASSWORD = Limit("password_source", 3, 60, Counts.ATTEMPTS)
REFRESH = Limit("refresh", 70, 60, Counts.ATTEMPTS)  # a second a slot
REQUESTS = Limit("requests", 3, 60, Counts.ATTEMPTS)
HOURLY = Limit("mail_source", 3, 3600, Counts.ATTEMPTS)
pytestmark = only("redis")


def used(owner: str, *limits: Limit) -> list[int]:
    """What the long way reads."""
    (answer,) = redis.reserve([tuple(Claim(limit, owner) for limit in limits)], None, 0)
    return [verdict["used"] for verdict in answer["verdicts"]]


def state(store: Store, owner: str) -> bytes:
    with Redis.from_url(store.environment["REDIS_URL"]) as server:
        kept = server.get(redis.place_of(owner)[1])
    assert isinstance(kept, bytes)
    return kept


def reserve(owner: str, *limits: Limit) -> list[int]:
    """Reserve, and return what is left of each."""
    held = limiter.reserve(*(Claim(limit, owner) for limit in limits))
    return [usage.remaining for usage in held.usage]


def test_buckets_between_before_and_after_those_asked_for_are_kept(clocked: Store) -> None:
    owner = clocked.owner()
    for limits in ([PASSWORD, REQUESTS], [REFRESH], [MAIL, REFRESH], [MAIL, PASSWORD, REQUESTS], [PASSWORD]):
        reserve(owner, *limits)
    assert used(owner, MAIL, PASSWORD, REFRESH, REQUESTS) == [2, 3, 2, 2]
    assert state(clocked, owner)[:1] == b"R"


def test_bucket_whose_window_has_passed_leaves_the_state_of_a_busy_owner(clocked: Store) -> None:
    owner = clocked.owner()
    reserve(owner, MAIL, REQUESTS)
    clocked.advance(30_000)
    reserve(owner, PASSWORD)
    assert b"mail_source" in state(clocked, owner)
    clocked.advance(32_000)
    reserve(owner, REFRESH)
    kept = state(clocked, owner)
    assert b"mail_source" not in kept
    assert b"requests" not in kept
    assert used(owner, MAIL, PASSWORD, REFRESH, REQUESTS) == [0, 1, 1, 0]


def test_window_slides_count_by_count(clocked: Store) -> None:
    owner = clocked.owner()
    for left in (2, 1, 0):
        assert reserve(owner, REQUESTS) == [left]
        clocked.advance(20_000)
    clocked.advance(1)
    assert reserve(owner, REQUESTS) == [0]  # the first has left, the second and third stand
    with pytest.raises(LimitExceeded) as refused:
        reserve(owner, REQUESTS)
    assert (refused.value.count, refused.value.retry_after_seconds) == (3, 20)
    clocked.advance(40_000)
    assert reserve(owner, REQUESTS) == [1]
    assert len(state(clocked, owner)) < 60


def test_counts_of_one_slot_are_one_entry(clocked: Store) -> None:
    owner = clocked.owner()
    clocked.set_clock(clocked.now_ms // 1000 * 1000)
    reserve(owner, REFRESH)
    small = len(state(clocked, owner))
    for _ in range(4):
        clocked.advance(100)
        reserve(owner, REFRESH)
    assert len(state(clocked, owner)) == small
    clocked.advance(1000)
    reserve(owner, REFRESH)
    assert len(state(clocked, owner)) == small + 10
    assert used(owner, REFRESH) == [6]


def test_refusal_of_one_rate_counts_none(clocked: Store) -> None:
    owner = clocked.owner()
    for _ in range(3):
        reserve(owner, REQUESTS)
    with pytest.raises(LimitExceeded):
        reserve(owner, MAIL, REQUESTS)
    assert used(owner, MAIL, REQUESTS) == [0, 3]


def test_clock_that_goes_back_forgets_nothing_and_extends_nothing(clocked: Store) -> None:
    owner = clocked.owner()
    reserve(owner, REQUESTS)
    clocked.set_clock(clocked.now_ms - 5_000)
    assert reserve(owner, REQUESTS) == [1]
    clocked.set_clock(clocked.now_ms + 60_001)
    assert reserve(owner, REQUESTS) == [1]  # the one made while the clock was back has left, the other stands
    assert used(owner, REQUESTS) == [2]


def test_limit_that_was_set_anew_keeps_what_it_counted(clocked: Store) -> None:
    owner = clocked.owner()
    for _ in range(3):
        reserve(owner, Limit("refresh", 10, 60, Counts.ATTEMPTS))
    assert reserve(owner, REFRESH) == [66]
    assert reserve(owner, REFRESH, REQUESTS) == [65, 2]


def test_counts_of_other_kinds_beside_rates_go_the_long_way_and_back(clocked: Store) -> None:
    owner = clocked.owner()
    failures = Limit("totp_account", 3, 60, Counts.FAILURES)
    reserve(owner, REQUESTS)
    held = limiter.reserve(Claim(failures, owner))
    assert state(clocked, owner)[:1] != b"R"
    assert reserve(owner, REQUESTS) == [1]
    limiter.settle(held, failed=False)
    assert reserve(owner, REQUESTS) == [0]
    assert state(clocked, owner)[:1] == b"R"
    assert [(one.purpose, one.used) for one in status(owner)] == [("requests", 3)]


def test_state_as_earlier_versions_wrote_it_is_read(clocked: Store) -> None:
    owner, now = clocked.owner(), clocked.now_ms
    before = {"requests": [(now + 60_000) // 1000 + 1, 1, [now - 10, 1, now, 1]]}
    with Redis.from_url(clocked.environment["REDIS_URL"]) as server:
        packing = "redis.call('SET', KEYS[1], cmsgpack.pack(cjson.decode(ARGV[1])), 'PX', 100000)"
        server.eval(packing, 1, redis.place_of(owner)[1], json.dumps(before))
    assert reserve(owner, REQUESTS) == [0]
    assert state(clocked, owner)[:1] == b"R"
    with pytest.raises(LimitExceeded):
        reserve(owner, REQUESTS)


def test_count_of_a_slot_stays_a_window_beyond_the_end_of_the_slot(clocked: Store) -> None:
    owner, begin = clocked.owner(), (clocked.now_ms // 1000 + 1) * 1000
    clocked.set_clock(begin + 999)
    for _ in range(70):
        reserve(owner, REFRESH)
    clocked.set_clock(begin + 60_999)
    with pytest.raises(LimitExceeded):
        reserve(owner, REFRESH)
    clocked.set_clock(begin + 61_000)
    assert reserve(owner, REFRESH) == [69]


def test_rate_whose_slots_are_of_another_size_is_counted_the_long_way(clocked: Store) -> None:
    owner, begin = clocked.owner(), clocked.now_ms // 60_000 * 60_000
    clocked.set_clock(begin)
    reserve(owner, REFRESH)
    clocked.advance(59_000)
    wider = Limit("refresh", 70, 120, Counts.ATTEMPTS)  # two seconds a slot
    assert reserve(owner, wider) == [68]
    clocked.advance(60_000)
    assert reserve(owner, wider) == [67]
    assert reserve(owner, REFRESH) == [67]  # the first of three is older than its minute
    assert reserve(owner, REFRESH) == [66]


def test_slots_may_be_of_hours(clocked: Store) -> None:
    owner, month = clocked.owner(), Limit("mail_source", 70, 30 * 86_400, Counts.ATTEMPTS)
    for left in (69, 68, 67):
        assert reserve(owner, month) == [left]
        clocked.advance(12 * 3_600_000)
    assert used(owner, month) == [3]


def test_only_count_of_a_bucket_leaves_it(clocked: Store) -> None:
    owner = clocked.owner()
    for _ in range(2):
        assert reserve(owner, REQUESTS) == [2]
        clocked.advance(60_002)


@pytest.mark.parametrize("limits", [[HOURLY, REQUESTS], [REQUESTS, HOURLY], [HOURLY], [REFRESH], [REQUESTS]])
def test_state_lives_as_long_as_its_latest_count(store: Store, limits: list[Limit]) -> None:
    owner, began = store.owner(), time.monotonic()
    for limit in limits:
        reserve(owner, limit)
    longest_ms = 1000 * max(limit.window_seconds for limit in limits)
    with Redis.from_url(store.environment["REDIS_URL"]) as server:
        left_ms = server.pttl(redis.place_of(owner)[1])
    assert isinstance(left_ms, int)
    assert longest_ms <= left_ms + 1000 * (time.monotonic() - began) + 1
    assert left_ms <= longest_ms + 2001


def test_slot_holds_more_than_sixteen_bits_count(clocked: Store) -> None:
    owner = clocked.owner()
    reserve(owner, Limit("refresh", 1_000_000, 60, Counts.ATTEMPTS))
    many = redis.place_of(owner)[1]
    with Redis.from_url(clocked.environment["REDIS_URL"]) as server:
        kept = server.get(many)
        assert isinstance(kept, bytes)
        heavy = kept.replace(b"\0\0\0\1\0\1", b"\0\1\0\0\0\1")[:-4] + b"\0\1\0\0"  # sum, and of the slot
        server.set(many, heavy, keepttl=True)
    assert reserve(owner, Limit("refresh", 1_000_000, 60, Counts.ATTEMPTS)) == [1_000_000 - 65_537]
    assert used(owner, Limit("refresh", 1_000_000, 60, Counts.ATTEMPTS)) == [65_537]


def reserve_the_long_way(owner: str, limits: list[Limit]) -> dict:
    claims = [Claim(limit, owner) for limit in limits]
    return redis._verdicts(redis._call([(owner, "reserve", redis._rules(claims), "id", 1000)])[0])


def kept(store: Store, owner: str) -> tuple[bytes | None, int]:
    """The state, and when it ends."""
    key = redis.place_of(owner)[1]
    with Redis.from_url(store.environment["REDIS_URL"]) as server:
        return server.get(key), server.pexpiretime(key)


@pytest.mark.parametrize("seed", range(8))
def test_short_and_long_way_answer_and_keep_the_same(clocked: Store, seed: int) -> None:
    """Clocks go back, and limits are set anew, in seeds that are odd."""
    random = Random(seed)
    short, long = clocked.owner(), clocked.owner()
    purposes = ("mail_source", "password_source", "password_source_wide", "refresh", "requests")
    limits = {name: Limit(name, random.choice((2, 3, 70)), 60, Counts.ATTEMPTS) for name in purposes}
    clocked.advance(random.randrange(1000))
    for _ in range(150):
        if seed % 2 and random.random() < 0.1:
            name = random.choice(purposes)
            limits[name] = Limit(
                name, random.choice((2, 5, 70)), random.choice((30, 60, 90)), Counts.ATTEMPTS
            )
        back = seed % 2 and random.random() < 0.1
        clocked.advance(
            -random.choice((1, 900, 20_000)) if back else random.choice((0, 0, 1, 999, 1000, 20_001))
        )
        asked = [limits[name] for name in sorted(random.sample(purposes, random.choice((1, 1, 2))))]
        (answer,) = redis.reserve([tuple(Claim(limit, short) for limit in asked)], "id", 1000)
        assert answer == reserve_the_long_way(long, asked)
        assert kept(clocked, short) == kept(clocked, long)


def test_rates_that_are_asked_for_out_of_order_count_as_ever(clocked: Store) -> None:
    owner = clocked.owner()
    for limits in ([REQUESTS, MAIL], [REQUESTS, MAIL], [MAIL]):
        redis.reserve([tuple(Claim(limit, owner) for limit in limits)], "id", 1000)
    (answer,) = redis.reserve([(Claim(MAIL, owner),)], "id", 1000)
    assert not answer["granted"]
    assert used(owner, MAIL, REQUESTS) == [3, 2]


def test_nodes_that_disagree_about_a_limit_make_no_bucket_grow(clocked: Store) -> None:
    owner = clocked.owner()
    clocked.set_clock(clocked.now_ms // 1000 * 1000)
    for _ in range(20):
        reserve(owner, Limit("refresh", 70, 60, Counts.ATTEMPTS))
        reserve(owner, Limit("refresh", 70, 30, Counts.ATTEMPTS))
    assert used(owner, REFRESH) == [40]
    assert len(state(clocked, owner)) < 60


def test_attempts_that_never_age_are_kept_for_good(clocked: Store) -> None:
    owner = clocked.owner()
    forever = Limit("refresh", 2, 0, Counts.ATTEMPTS)
    reserve(owner, forever)
    assert kept(clocked, owner)[1] > clocked.now_ms + 900 * 365 * 86_400_000


@pytest.mark.parametrize("answer", [b"", b"G", b"G1234", b"1,", b"1", b"yes", b"\xff\xfe", b"1,2;three,0,1"])
def test_answer_that_the_script_does_not_give_grants_nothing(
    clocked: Store, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(servers, "call_script", lambda *_: [answer])
    with pytest.raises(StoreUnavailable):
        redis.reserve([(Claim(REQUESTS, clocked.owner()),)], "id", 1000)
