"""The start-up check that the log is still append-only: triggers can vanish without a word."""

from django.db import connection

from audit.triggers import trigger_names

_SQLITE = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
# tgenabled: O fires for everyone, A also for replication; D is disabled, R fires for replication only
_POSTGRESQL = """
SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
 WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND pg_table_is_visible(pg_class.oid)"""


def missing_triggers() -> list[str]:
    """The names of triggers that do not exist in the configured database, or are disabled."""
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE if connection.vendor == "sqlite" else _POSTGRESQL)
        present = set(cursor.fetchall())
    return sorted(
        name for name, table in trigger_names(connection.vendor).items() if (name, table) not in present
    )
