"""The text index narrows a search for words and changes nothing of what is found."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from audit import integrate, reading, textindex
from audit.events import SYSTEM, EventType, Outcome
from audit.integrate import Integrator, start_log
from audit.models import PersonalData
from audit.reading import find_events
from audit.records import NewEvent
from tests.unit.audit.conftest import Log, only
from tests.unit.audit.says import HERE, committed, failure

pytestmark = [pytest.mark.usefixtures("log"), only("postgres")]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    """Blocks of four events that settle at once; windows that end soon, so that blocks are looked at."""
    monkeypatch.setattr(textindex, "BLOCK", 4)
    monkeypatch.setattr(textindex, "SETTLE_SECONDS", -1)
    monkeypatch.setattr(reading, "FIRST_WINDOW", 3)
    monkeypatch.setattr(reading, "BUDGET_SECONDS", 30)
    event = NewEvent(
        type=EventType.LOG_START,
        outcome=Outcome.SUCCESS,
        source=SYSTEM,
        details={"log": 1, "origin": "example.org/1"},
    )
    with transaction.atomic():
        start_log("example.org/1", event, number=1)


def noted(*notes: str) -> list[str]:
    return list(committed(*(failure(text={"note": note} if note else {}) for note in notes)))


def catch_up() -> None:
    while Integrator().integrate():
        pass
    while textindex.advance():
        pass


def found(words: str, **filters: str) -> list[str]:
    page = find_events({"q": words, **filters}, limit=3)
    ids = [record.id for record in page.results]
    while page.next:
        page = find_events({"q": words, **filters}, cursor=page.next, limit=3)
        ids += [record.id for record in page.results]
    return ids


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def looked_at(act: Callable[[], Any], part: str = "WITH span") -> int:
    """How often a window was read, or what another part of a statement tells."""
    seen = []

    def note(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        seen.append(part in sql)
        return run(sql, *rest)

    with connection.execute_wrapper(note):
        act()
    return sum(seen)


def test_rare_words_are_found_wherever_they_stand() -> None:
    ids = [id_ for number in range(40) for id_ in noted("zebra" if number % 13 == 5 else f"horse {number}")]
    wanted = [ids[number] for number in (31, 18, 5)]
    assert found("zebra") == wanted
    catch_up()
    assert textindex.frontier()
    assert found("zebra") == found("ZEBRA") == found("ebr") == wanted
    assert found("zebra wrong_password") == wanted
    assert found("zebra horse") == found("zebrahorse") == []
    assert found("zebra", outcome="failure") == wanted
    assert found("zebra", outcome="success") == []
    page = find_events({"q": "zebra", "since": "2000-01-01", "until": "2999-01-01"})
    assert [record.id for record in page.results] == wanted
    assert looked_at(lambda: find_events({"q": "zebra"})) <= 2


def test_words_that_are_not_rare_are_looked_for_without_the_index() -> None:
    ids = noted(*["horse" if number % 3 == 0 else "" for number in range(40)])
    catch_up()
    assert found("horse") == ids[::-3]
    assert looked_at(lambda: find_events({"q": "horse"}, limit=3), "audit_textblock") == 0
    assert looked_at(lambda: find_events({"q": "zebra"}, limit=3), "audit_textblock") > 0


def test_a_rare_reason_is_found_as_a_rare_word_is() -> None:
    ids = committed(*(failure(reason="sign_counter" if number == 5 else "expired") for number in range(40)))
    catch_up()
    assert [record.id for record in find_events({"reason": "sign_counter"}).results] == [ids[5]]
    assert looked_at(lambda: find_events({"reason": "sign_counter"})) <= 2


def test_what_is_newer_than_the_index_is_found_too() -> None:
    noted(*[""] * 20)
    catch_up()
    late = noted("okapi", *[""] * 9)
    assert found("okapi") == [late[0]]


def test_an_event_that_appears_behind_the_index_is_found_once_it_is_integrated() -> None:
    def slow(ready: threading.Event, go: threading.Event, ids: list[str]) -> None:
        with transaction.atomic():
            from audit.append import append

            ids += append(failure(text={"note": "straggler"}))
            ready.set()
            go.wait(20)
        connection.close()

    ready, go, ids = threading.Event(), threading.Event(), list[str]()
    thread = threading.Thread(target=slow, args=(ready, go, ids))
    thread.start()
    ready.wait(20)
    time.sleep(0.01)
    noted(*[""] * 30)
    catch_up()
    assert textindex.frontier() > ids[0]
    go.set()
    thread.join()
    catch_up()
    assert found("straggler") == ids


def test_erasure_reaches_the_index_at_once() -> None:
    ids = noted(*["", "", "secretive", "", "", "", "", "", ""])
    catch_up()
    grams = sorted(textindex.grams_of(["secretive"]))
    assert rows("SELECT count(*) FROM audit_textblock WHERE grams @> %s::int[]", grams) == [(1,)]
    PersonalData.objects.filter(event=ids[2]).delete()
    assert rows("SELECT count(*) FROM audit_textblock WHERE grams @> %s::int[]", grams) == [(0,)]
    assert rows("SELECT count(*) FROM audit_textblock WHERE grams IS NULL") == [(1,)]
    assert found("secretive") == []
    assert len(found("wrong_password")) == len(ids)
    catch_up()
    assert rows("SELECT count(*) FROM audit_textblock WHERE grams IS NULL") == [(0,)]
    assert rows("SELECT count(*) FROM audit_textblock WHERE grams @> %s::int[]", grams) == [(0,)]


def test_what_is_erased_while_its_block_is_read_stays_in_no_index() -> None:
    def erase(begun: threading.Event, filled: threading.Event) -> None:
        with transaction.atomic():
            PersonalData.objects.filter(event=ids[2]).delete()
            begun.set()
            filled.wait(0.5)
        connection.close()

    ids = noted(*["", "", "secretive", "", "", "", "", "", ""])
    catch_up()
    rows("UPDATE audit_textblock SET grams = NULL")
    begun, filled = threading.Event(), threading.Event()
    thread = threading.Thread(target=erase, args=(begun, filled))
    thread.start()
    begun.wait(20)
    textindex.advance()
    filled.set()
    thread.join()
    catch_up()
    grams = sorted(textindex.grams_of(["secretive"]))
    assert rows("SELECT count(*) FROM audit_textblock WHERE grams @> %s::int[]", grams) == [(0,)]


def test_a_worker_that_is_stopped_in_a_block_holds_no_erasure_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on elsewhere, with another leader; what it had locked is not to wait for its machine."""

    def stop(words: Any) -> set[int]:
        begun.set()
        woken.wait(20)
        return grams_of(words)

    def fill() -> None:
        try:
            textindex.advance()
        except OperationalError:
            ended.set()
        finally:
            connection.close()

    ids = noted(*["", "", "secretive", "", "", "", "", "", ""])
    catch_up()
    rows("UPDATE audit_textblock SET grams = NULL")
    begun, woken, ended, grams_of = (
        threading.Event(),
        threading.Event(),
        threading.Event(),
        textindex.grams_of,
    )
    monkeypatch.setattr(textindex, "grams_of", stop)
    monkeypatch.setattr(integrate, "STOPPED_MILLISECONDS", 500)
    thread = threading.Thread(target=fill)
    thread.start()
    assert begun.wait(20)
    with transaction.atomic():
        rows("SET LOCAL lock_timeout = 10000")
        PersonalData.objects.filter(event=ids[2]).delete()
    woken.set()
    thread.join()
    assert ended.is_set()
    monkeypatch.undo()
    catch_up()
    assert found("secretive") == []
    assert len(found("wrong_password")) == len(ids)


def test_what_has_not_settled_is_in_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textindex, "SETTLE_SECONDS", 60)
    noted(*[""] * 9)
    catch_up()
    assert textindex.frontier() == ""


@pytest.mark.parametrize(
    "words", ["192.0.2", "01a2", "x", "ab", "Zoë", "é", "😀😀😀", "%%%", "\\\\\\", "'''"]
)
def test_words_without_grams_are_searched_for_as_before(words: str) -> None:
    ids = noted(*[f"{words} {number}" if number % 7 == 3 else "" for number in range(20)])
    before = found(words)
    catch_up()
    assert found(words) == before
    assert set(before) >= {ids[3], ids[10], ids[17]}


@pytest.mark.parametrize("words", ['"hi"', "back\\slash", "GRÖSSE", "größen", "İstanbul", "note"])
def test_the_index_takes_free_text_as_it_was_typed_and_folds_as_the_search_does(words: str) -> None:
    text = 'quoted "hi" back\\slash Grösse GRÖßEN İSTANBUL'
    ids = noted(*[text if number == 5 else "" for number in range(20)])
    wanted = [] if words == "note" else [ids[5]]
    assert found(words) == wanted
    catch_up()
    assert found(words) == wanted


def test_grams_leave_out_ids_and_addresses() -> None:
    assert HERE.ip
    assert textindex.grams_of(["01a20a2c-881d-764c-ae95-3fa17434e261", "2001:db8::1", "192.0.2.1"]) == set()
    assert textindex.grams_of(["ab", "é", ""]) == set()
    assert len(textindex.grams_of(["Zebra", "zebra"])) == 3
    assert max(textindex.grams_of(["~~~~"])) < 2**21
