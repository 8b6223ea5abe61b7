"""Django's SQLite backend, whose writers wait for each other without long sleeps.

SQLite's own busy handler sleeps up to 100 ms between two looks at the lock, so that among many short transactions the
unlucky wait a hundred times longer than the work takes. Here the threads of a process write in turn: one holds the turn
from before its transaction until that has ended, and only it asks SQLite, every fraction of a millisecond, while
another process writes. Between processes the lock stays SQLite's: one that dies or is stopped holds nothing else. A
wait ends after the `timeout` of the options with SQLite's own error.
"""

import os
import random
import sqlite3
import threading
import time
import weakref
from collections import defaultdict
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import DatabaseErrorWrapper, OperationalError

from secure_auth.sqlite import writing
from throttling.turns import Away

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.0002, 0.002
KEPT_SECONDS = 0.005  # that a request waits without letting another compute
BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by the name of the database
os.register_at_fork(after_in_child=_turns.clear)  # a child has one thread, and holds no turn of its parent's


class Cursor(base.SQLiteCursorWrapper):
    """Django's, which else looks through each statement for its places each time."""

    def convert_query(self, query: str, *, param_names: Any = None) -> str:
        """The statement with the places of values as SQLite writes them."""
        if param_names is not None:
            return super().convert_query(query, param_names=param_names)
        return _with_places(query)


@lru_cache(maxsize=512)
def _with_places(query: str) -> str:
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's, for which a file with pages that are none is as good as away, and no mistake of the statement's.

    The connection goes: it keeps what it read, after the file is whole again too.
    """

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN:
            self.wrapper.errors_occurred = self.wrapper.is_broken = True
            raise OperationalError(*error.args) from error
        super().__exit__(kind, error, trace)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose transactions begin in turn, and IMMEDIATE (docs/decisions/0010)."""

    is_broken = False
    _turn: "weakref.finalize[..., DatabaseWrapper] | None" = None  # gives back what a transaction holds

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        """Called around whatever asks the file."""
        return ErrorWrapper(self)

    def is_usable(self) -> bool:
        """Called by Django after an error."""
        return not self.is_broken and bool(super().is_usable())

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """One to the file that has its name now."""
        connection = super().get_new_connection(conn_params)
        self.is_broken = False
        writing.note(str(self.settings_dict["NAME"]))
        return connection

    def takes_writing(self) -> bool:
        """Whether its file does, just now."""
        return bool(self.is_in_memory_db()) or writing.takes_writing(str(self.settings_dict["NAME"]))

    def create_cursor(self, name: str | None = None) -> Cursor:
        """Called by Django."""
        return self.connection.cursor(factory=Cursor)  # type: ignore[no-any-return]

    def _start_transaction_under_autocommit(self) -> None:
        """Begin a transaction as soon as no other writes.

        Raises:
            OperationalError: another one wrote for longer than the time-out.
        """
        seconds = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        ends_at = time.monotonic() + seconds
        turn = _turns[str(self.settings_dict["NAME"])]
        if not turn.acquire(timeout=KEPT_SECONDS):
            with Away():
                is_mine = turn.acquire(timeout=seconds)
            if not is_mine:
                raise OperationalError("database is locked")
        # A thread that ends in the middle of a transaction lets go of the database, and of its turn as well.
        self._turn = weakref.finalize(self, turn.release)
        try:
            with self.wrap_database_errors:
                self._begin(ends_at)
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        self._give_turn()  # a transaction that could not commit is open still; Django rolls it back

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._give_turn()

    def _give_turn(self) -> None:
        give, self._turn = self._turn, None
        if give:
            give()

    def _begin(self, ends_at: float) -> None:
        connection: Any = self.connection
        connection.execute("PRAGMA busy_timeout=0")
        try:
            look = FIRST_LOOK_SECONDS
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= ends_at:
                        raise
                else:
                    return
                time.sleep(look * random.uniform(0.5, 1))  # noqa: S311 not a secret
                look = min(look * 1.5, LONGEST_LOOK_SECONDS)
        finally:
            timeout_ms = round(1000 * float(self.settings_dict["OPTIONS"].get("timeout", 5)))
            connection.execute(f"PRAGMA busy_timeout={timeout_ms}")
