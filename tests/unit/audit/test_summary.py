"""Counts for charts: every integrated event exactly once, whoever counts, and none twice after a crash."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from audit import integrate as integrator
from audit import summary
from audit.events import SYSTEM, EventType, Outcome
from audit.filters import BadFilter
from audit.integrate import Integrator, start_log
from audit.models import Event
from audit.records import NewEvent
from audit.summary import BEYOND, BUCKETS, EARLIEST, advance, parse_span, read_counts, read_reach, read_top
from tests.unit.audit.conftest import Log, only
from tests.unit.audit.says import committed, failure

pytestmark = pytest.mark.usefixtures("log")
DAY = 86_400
YEAR_2000 = 946_684_800_000


def start(number: int = 1) -> None:
    event = NewEvent(
        type=EventType.LOG_START,
        outcome=Outcome.SUCCESS,
        source=SYSTEM,
        details={"log": number, "origin": f"example.org/{number}"},
    )
    with transaction.atomic():
        start_log(f"example.org/{number}", event, number=number)


def integrate(count: int) -> None:
    committed(*(failure() for _ in range(count)))
    while Integrator().integrate():
        pass


def counted() -> dict[str, int]:
    """Events by type, the same at each length of bucket."""
    found = []
    for bucket in BUCKETS:
        total: Counter[str] = Counter()
        for count in read_counts(0, 2**40, bucket):
            total[count.type] += count.count
        found.append(dict(total))
    assert found[0] == found[1] == found[2]
    return found[0]


def advance_all() -> int:
    done = 0
    while step := advance():
        done += step
    return done


def test_each_entry_is_counted_once_across_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "BATCH", 7)
    assert (read_reach(), advance()) == (None, 0)
    start(1)
    integrate(20)
    assert advance_all() == 21
    start(2)
    integrate(9)
    assert advance_all() == 10
    assert advance() == 0
    assert counted() == {"login.password": 29, "log.start": 2}
    assert read_reach() == summary.Reach(2, 10, 10)


def test_pending_events_are_not_counted() -> None:
    start()
    committed(failure())
    advance_all()
    assert counted() == {"log.start": 1}
    assert read_top(0, 2**33).looked_at == 1


def test_a_step_that_is_rolled_back_is_done_again() -> None:
    start()
    integrate(5)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        assert advance() == 6
        raise ZeroDivisionError
    assert counted() == {}
    advance_all()
    assert counted() == {"login.password": 5, "log.start": 1}


@only("postgres")
def test_many_who_count_at_once_count_once(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    monkeypatch.setattr(summary, "BATCH", 3)
    start()
    integrate(60)

    def work() -> int:
        try:
            return sum(advance() for _ in range(40))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        done = sum(pool.map(lambda _: work(), range(4)))
    assert done + advance_all() == 61
    assert counted() == {"login.password": 60, "log.start": 1}


@only("postgres")
def test_who_is_stopped_while_counting_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch, log: Log
) -> None:
    def stop(before: int, after: int) -> bool:
        moved = move(before, after)
        begun.set()
        woken.wait(20)
        return moved

    def work() -> bool:
        try:
            advance()
        except OperationalError:
            return True
        finally:
            connection.close()
        return False

    start()
    integrate(5)
    begun, woken, move = threading.Event(), threading.Event(), summary._move
    monkeypatch.setattr(integrator, "STOPPED_MILLISECONDS", 500)
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(summary, "_move", stop)
        stopped = pool.submit(work)
        assert begun.wait(20)
        monkeypatch.setattr(summary, "_move", move)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 10000")
            assert advance() == 6
        woken.set()
        assert stopped.result(), "what it had begun is undone"
    assert counted() == {"login.password": 5, "log.start": 1}


def test_buckets_hold_what_happened_in_them() -> None:
    start()
    integrate(4)
    advance_all()
    when = int(Event.objects.order_by("-id").first().time.timestamp())  # type: ignore[union-attr]
    for bucket, seconds in BUCKETS.items():
        begin, end = parse_span(when * 1000, when * 1000 + 1, bucket)
        assert end - begin == seconds
        assert begin <= when < end
        assert {count.start % seconds for count in read_counts(0, 2**40, bucket)} == {0}


def test_the_latest_failures_name_their_sources_until_they_are_erased() -> None:
    committed(failure(), failure(), failure(user="user-2"))
    top = read_top(0, 2**33)
    assert (top.looked_at, top.sources) == (3, [("192.0.2.1", 3)])
    assert top.users == [("user-1", 2), ("user-2", 1)]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_personaldata")
    assert read_top(0, 2**33) == summary.Top(3, [], [])


@pytest.mark.parametrize(
    ("since", "until", "bucket", "field"),
    [
        (YEAR_2000, YEAR_2000 + 1_501 * DAY * 1000, "day", "bucket"),
        (YEAR_2000, YEAR_2000 + 1_501 * 60_000, "minute", "bucket"),
        (EARLIEST - 1, None, "day", "since"),
        (None, EARLIEST - 1, "day", "until"),
        (BEYOND + 1, None, "minute", "since"),
        (None, BEYOND + 1, "minute", "until"),
        (None, None, "week", "bucket"),
        (YEAR_2000 + 5 * DAY * 1000, YEAR_2000 + DAY * 1000, "hour", "since"),
    ],
)
def test_spans_that_make_no_chart_are_refused(
    since: int | None, until: int | None, bucket: str, field: str
) -> None:
    with pytest.raises(BadFilter) as refusal:
        parse_span(since, until, bucket)
    assert refusal.value.field == field


def test_a_span_of_the_most_buckets_is_answered() -> None:
    begin, end = parse_span(YEAR_2000, YEAR_2000 + 1_500 * 60_000, "minute")
    assert (begin * 1000, end - begin) == (YEAR_2000, 1_500 * 60)
    begin, end = parse_span(None, None, "hour")
    assert (end - begin, begin % 3600) == (DAY, 0)
