"""Django's PostgreSQL backend, whose pool hands out no connection that the server has closed meanwhile.

After a restart or a fail-over every idle connection of a pool is dead. To ask each before its use would cost every
request a round trip; without, each of them costs one request an error. A server that closes a connection says so on it,
and else says nothing on one that is idle: whether there is something to read costs no round trip.
"""

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that was open a moment ago."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """One of the pool's that still stands; those that do not are replaced."""
        connection = super().get_new_connection(conn_params)
        while self.pool and _has_news(connection):
            connection.close()
            self.pool.putconn(connection)
            connection = super().get_new_connection(conn_params)
        return connection


def _has_news(connection: Any) -> bool:
    waiting = select.poll()  # select.select() takes no descriptor above 1,023
    waiting.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    return bool(waiting.poll(0))
