"""Django's SQLite backend, whose writers wait for each other without long sleeps.

SQLite's own busy handler sleeps up to 100 ms between two looks at the lock, so that among many short transactions the
unlucky wait a hundred times longer than the work takes. Here the threads of a process queue up before a transaction,
and only the first of them asks SQLite, every fraction of a millisecond. The lock itself stays SQLite's: a process that
dies or is stopped holds nothing else, and a wait ends after the `timeout` of the options with SQLite's own error.
"""

import os
import random
import sqlite3
import threading
import time
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.0002, 0.002
_turn = threading.Lock()


def _after_fork() -> None:
    """A child has one thread, and none that could give back a turn taken before."""
    global _turn
    _turn = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose transactions begin in turn, and IMMEDIATE (docs/decisions/0010)."""

    def _start_transaction_under_autocommit(self) -> None:
        """Begin a transaction as soon as no other writes.

        Raises:
            OperationalError: another one wrote for longer than the time-out.
        """
        seconds = float(self.settings_dict["OPTIONS"].get("timeout", 5))
        ends_at = time.monotonic() + seconds
        if not _turn.acquire(timeout=seconds):
            raise OperationalError("database is locked")
        try:
            with self.wrap_database_errors:
                self._begin(ends_at)
        finally:
            _turn.release()

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
