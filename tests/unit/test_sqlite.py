"""The writers of one process take turns: whatever ends a transaction, the turn is free afterwards, and not before."""

import gc
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

from tests.unit.throttling.conftest import point_at

TIMEOUT_SECONDS = 1


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Iterator[Path]:
    """The default connection, in all threads, is an empty database on a disk."""
    previous = connections.settings["default"]
    path = tmp_path / "turns.sqlite3"
    options = {**previous["OPTIONS"], "timeout": TIMEOUT_SECONDS}
    point_at({**previous, "NAME": path, "OPTIONS": options, "CONN_MAX_AGE": None})
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        cursor.execute(
            "CREATE TABLE child (parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED, number UNIQUE)"
        )
    yield path
    point_at(previous)


def write(number: int, parent: int | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO child VALUES (%s, %s)", [parent, number])


def write_in_another_thread(number: int) -> None:
    """Raises OperationalError when the turn, or the database, is not free."""

    def work() -> None:
        try:
            with transaction.atomic():
                write(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def refuse() -> None:
    with transaction.atomic():
        write(1)
        raise ValueError


def fail_in_the_middle() -> None:
    with transaction.atomic():
        write(1)
        write(1)


def fail_at_commit() -> None:
    with transaction.atomic():
        write(1, parent=7)  # a deferred constraint is judged by COMMIT


def close_inside() -> None:
    with transaction.atomic():
        write(1)
        connection.close()


def refuse_to_begin() -> None:
    path = str(connection.settings_dict["NAME"])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with transaction.atomic():
            write(1)
    finally:
        other.close()


def fail_after_the_commit() -> None:
    def hook() -> None:
        raise ValueError

    with transaction.atomic():
        write(1)
        transaction.on_commit(hook)


def nest() -> None:
    with transaction.atomic():
        with pytest.raises(ValueError), transaction.atomic():
            write(1)
            raise ValueError
        with pytest.raises(OperationalError):
            write_in_another_thread(9)  # the outer one is open still
        write(2)


@pytest.mark.parametrize(
    ("work", "error", "kept"),
    [
        (refuse, ValueError, []),
        (fail_in_the_middle, IntegrityError, []),
        (fail_at_commit, IntegrityError, []),
        (close_inside, None, []),
        (refuse_to_begin, OperationalError, []),
        (fail_after_the_commit, ValueError, [1]),
        (nest, None, [2]),
    ],
)
def test_the_turn_is_free_when_a_transaction_has_ended(
    work: Callable[[], None], error: type[Exception] | None, kept: list[int]
) -> None:
    if error:
        with pytest.raises(error):
            work()
    else:
        work()
    write_in_another_thread(100)
    with transaction.atomic():
        write(101)
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM child ORDER BY number")
        assert [number for (number,) in cursor.fetchall()] == [*kept, 100, 101]


@pytest.mark.filterwarnings("ignore:.*unclosed database")  # which is what is tested: Python 3.13 says so
def test_a_thread_that_ends_in_the_middle_lets_go() -> None:
    def begin() -> None:
        connections["default"].set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        write(1)

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    del thread
    gc.collect()
    write_in_another_thread(2)


def test_who_waits_longer_than_the_time_out_is_told_so() -> None:
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            write(1)
            begun.set()
            done.wait(30)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert begun.wait(10)
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            write(2)
        done.set()
        holding.result()
    write_in_another_thread(3)


def test_a_child_has_no_turn_of_its_parent() -> None:
    with transaction.atomic():
        write(1)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                connection._give_turn()  # type: ignore[attr-defined]
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(OperationalError):
            write_in_another_thread(2)
    write_in_another_thread(3)


def test_databases_do_not_wait_for_each_other(tmp_path: Path) -> None:
    connections.databases["second"] = {
        **connections.databases["default"],
        "NAME": tmp_path / "second.sqlite3",
    }
    try:
        with transaction.atomic():
            write(1)
            with transaction.atomic(using="second"), connections["second"].cursor() as cursor:
                cursor.execute("CREATE TABLE own (id INTEGER)")
        write_in_another_thread(2)
    finally:
        connections["second"].close()
        del connections.databases["second"]


@pytest.mark.parametrize(
    ("statement", "values", "answer"),
    [
        ("SELECT %s, %s", ["%s", "?"], ("%s", "?")),
        ("SELECT '%%', '%%s', %s", [1], ("%", "%s", 1)),
        ("SELECT '%s ?'", None, ("%s ?",)),
        ("SELECT %(b)s, %(a)s, '%%'", {"a": 1, "b": 2}, (2, 1, "%")),
        ("SELECT '%%'", {}, ("%",)),
        ("SELECT '%%'", [], ("%",)),
    ],
)
def test_places_of_values_are_found_as_django_finds_them(statement: str, values: Any, answer: object) -> None:
    plain = SQLiteCursorWrapper(sqlite3.connect(":memory:"))
    for _ in range(2):  # a statement is looked through once
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            assert cursor.fetchone() == answer == plain.execute(statement, values).fetchone()


def test_many_rows_by_one_statement() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO child VALUES (NULL, %s)", [(number,) for number in range(3)])
        cursor.executemany("INSERT INTO child VALUES (NULL, %(n)s)", [{"n": 7}, {"n": 8}])
        assert cursor.execute("SELECT number FROM child ORDER BY number").fetchall() == [
            (n,) for n in (0, 1, 2, 7, 8)
        ]
