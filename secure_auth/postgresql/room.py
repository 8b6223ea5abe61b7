"""Whether PostgreSQL's disk has room. What only reads tells nothing of that, and a write that fits where one was before
little: which of them fail on a full disk is chance.

Asked is by a temporary file, as of any query that outgrows its memory: no row, no WAL, and nothing is left.
"""

import time

import psycopg
from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

TOLD_FOR_SECONDS = 1.0  # so that who asks again and again writes no more often
MEMORY = "SET LOCAL work_mem = '64kB'"
FILE = "SELECT count(*) FROM unnest(array_fill(repeat('x', 8192), ARRAY[64]))"
_told: dict[str, tuple[float, bool]] = {}


def has_room(connection: BaseDatabaseWrapper) -> bool:
    """Whether half a MiB could be written within TOLD_FOR_SECONDS; False too where the server is away."""
    told_at, told = _told.get(connection.alias, (-TOLD_FOR_SECONDS, False))
    if time.monotonic() - told_at >= TOLD_FOR_SECONDS:
        told = _write(connection)
        _told[connection.alias] = time.monotonic(), told
    return told


def _write(connection: BaseDatabaseWrapper) -> bool:
    try:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute(MEMORY)
            cursor.execute(FILE)
    except Error as error:
        # temp_file_limit is the operator's, and says nothing of the disk
        return isinstance(error.__cause__, psycopg.errors.ConfigurationLimitExceeded)
    return True
