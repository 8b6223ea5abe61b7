"""Django's PostgreSQL backend, whose pool hands out no dead connection, and holds no request up while there are none.

After a restart or a fail-over every idle connection of a pool is dead. To ask each before its use would cost every
request a round trip; without, each of them costs one request an error. A server that closes a connection says so on it,
and else says nothing on one that is idle: whether there is something to read costs no round trip.
"""

import contextlib
import select
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from types import TracebackType
from typing import Any, ClassVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg_pool import ConnectionPool, PoolTimeout

from secure_auth.postgresql import room
from throttling.turns import Away, Store

_server = Store()
AWAY_SECONDS = 0.5  # that the one which asks waits, while the database is known to be away


class Outage:
    """Whether this process knows a database to be away.

    It does once somebody waited in vain for as long as the pool lets them (so a short fail-over passes unnoticed),
    connecting failed meanwhile, and nobody else got a connection: a pool that is only busy is waited for as ever. From
    then on one thread at a time asks, for AWAY_SECONDS, and all others are refused at once: threads that wait for
    nothing are how an outage, and whoever sends many requests in it, takes the rest of the service along. The first
    connection ends it.
    """

    def __init__(self) -> None:
        self._is_known = False
        self._had_at = 0.0
        self._asking = threading.Lock()

    @contextlib.contextmanager
    def asking(self, pool: ConnectionPool[Any], patience_seconds: float) -> Iterator[None]:
        """Around getting a connection from the pool, which is waited for that long while nothing is known.

        Raises:
            PoolTimeout: the database is known to be away, and another thread asks whether it is back.
        """
        is_known = self._is_known
        # not the pool's max_waiting: it counts those who gave up too, and what is full of them connects no more
        with self._turn() if is_known else contextlib.nullcontext():
            pool.timeout = AWAY_SECONDS if is_known else patience_seconds
            began, failures = time.monotonic(), _failures(pool)
            try:
                yield
            except PoolTimeout:
                if self._had_at < began:  # else it is back, and somebody else got what came first
                    self._is_known = is_known or _failures(pool) > failures
                raise
            self._is_known, self._had_at = False, time.monotonic()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._asking.acquire(blocking=False):
            raise PoolTimeout("the database is away")
        try:
            yield
        finally:
            self._asking.release()


class Connection(psycopg.Connection[Any]):
    """psycopg's, which tells that its thread waits."""

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        """Called by psycopg for whatever it does; most but statements asks the server nothing."""
        if gen.__name__ != "_execute_gen":
            return super().wait(gen, *arguments, **named)
        with Away(_server):
            return super().wait(gen, *arguments, **named)


AS_AWAY = (
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.FeatureNotSupported,  # of a prepared statement whose columns have another type since
)


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's, for which a server that takes no writing is as good as away, and no mistake of the statement's.

    It is a standby that was asked in the place of the primary, or a primary that its operator closed for a while. So is
    one that ended the connection since this process stood still in a transaction, for psycopg an error of its insides.
    And one whose tables are gone, or of other types: they are being put back or migrated, by somebody else.
    """

    wrapper: "DatabaseWrapper"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, AS_AWAY):
            self.wrapper.errors_occurred = True
            self.wrapper.takes_no_writing()
            raise OperationalError(*error.args) from error
        super().__exit__(kind, error, trace)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that was open a moment ago."""

    _outages: ClassVar[defaultdict[str, Outage]] = defaultdict(Outage)  # of each database, as the pools are
    _is_of_no_use = False

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias)
        if pool := settings_dict.get("OPTIONS", {}).get("pool"):
            pool["connection_class"] = Connection

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        """Called around whatever asks the server."""
        return ErrorWrapper(self)

    def has_room(self) -> bool:
        """Whether its disk has, just now."""
        return room.has_room(self)

    def takes_no_writing(self) -> None:
        """The pool is to have another in its place: this one would stay so for an hour after the primary is back."""
        self._is_of_no_use = True

    def _set_autocommit(self, autocommit: bool) -> None:
        """A connection comes from the pool as it is needed: to set it once more costs as much as to get it."""
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _close(self) -> None:
        if self._is_of_no_use and self.connection is not None:
            self.connection.close()
        self._is_of_no_use = False
        super()._close()  # type: ignore[misc]

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """One of the pool's that still stands; those that do not are replaced."""
        if not self.pool:
            return super().get_new_connection(conn_params)
        patience_seconds = self.settings_dict["OPTIONS"]["pool"]["timeout"]
        with self._outages[self.alias].asking(self.pool, patience_seconds):
            connection = super().get_new_connection(conn_params)
            while _has_news(connection):
                connection.close()
                self.pool.putconn(connection)
                connection = super().get_new_connection(conn_params)
        return connection


def _failures(pool: ConnectionPool[Any]) -> int:
    return pool.get_stats().get("connections_errors", 0)


def _has_news(connection: Any) -> bool:
    waiting = select.poll()  # select.select() takes no descriptor above 1,023
    waiting.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    return bool(waiting.poll(0))
