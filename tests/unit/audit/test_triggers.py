"""The database itself refuses to change the log, and the start-up check sees when it would not."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, models, transaction

from audit.checks import missing_triggers
from audit.models import Checkpoint, Cosignature, Entry, Event, Node, PersonalData, Retention
from audit.models import Log as LogRow
from audit.triggers import ALSO_UNIQUE, install, time_constraints, trigger_names
from tests.unit.audit.conftest import Log, only
from tests.unit.audit.says import committed, failure

pytestmark = pytest.mark.usefixtures("log")
MODELS = (Event, Entry, Node, Checkpoint, Cosignature, PersonalData, Retention)
COLUMNS = {
    model._meta.db_table: [field.column for field in model._meta.local_fields if field.column]
    for model in MODELS
}
LOG_COLUMNS = [field.column for field in LogRow._meta.local_fields if field.column]
OTHER_KEYS = {"id": "77", "event": "'other'", "index": "77", "size": "77", "origin": "'other'"}
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALSO_KEPT = (
    "started_at = '2020-01-01 00:00:00+00'",
    "size = 6, root = 'y', started_at = '2020-01-01 00:00:00+00'",
    "size = 6, root = 'y', ended_at = started_at",
    "ended_at = started_at, root = 'y'",
)
WITH_A_TIME = {
    "audit_event_time_readable": "INSERT INTO audit_event VALUES ('e', NOW, '', '', '', '', '', '', '{}', '{}')",
    "audit_checkpoint_time_readable": "INSERT INTO audit_checkpoint VALUES (1, 1, '', '', NOW)",
    "audit_cosignature_time_readable": "INSERT INTO audit_cosignature VALUES (1, 1, '', '', NOW)",
    "audit_log_started_at_readable": "INSERT INTO audit_log VALUES (1, '', 1, '', NOW)",
    "audit_log_ended_at_readable": "INSERT INTO audit_log VALUES (1, '', 1, '', now(), NOW)",
    "audit_retention_cutoff_readable": "INSERT INTO audit_retention (cutoff, time) VALUES (NOW, now())",
    "audit_retention_time_readable": "INSERT INTO audit_retention (cutoff, time) VALUES (now(), NOW)",
}
NO_TIMES = ("infinity", "-infinity", "10000-01-01 00:00:00+00", "0044-03-15 00:00:00+00 BC")


def fill() -> str:
    (event_id,) = committed(failure())
    Entry.objects.create(log=1, index=0, event=event_id, leaf_hash=b"x" * 32)
    Node.objects.create(log=1, level=1, index=0, hash=b"x" * 32)
    Checkpoint.objects.create(log=1, size=1, root=b"x" * 32, note="n", time=NOW)
    Cosignature.objects.create(log=1, size=1, witness="w", line="l", time=NOW)
    Retention.objects.create(cutoff=datetime(2020, 1, 1, tzinfo=UTC))
    return event_id


def refused(sql: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    except DatabaseError as error:
        if "append-only" not in str(error):
            raise
        return True
    return False


@pytest.mark.parametrize(("table", "column"), [(table, name) for table in COLUMNS for name in COLUMNS[table]])
def test_no_column_can_be_updated(table: str, column: str) -> None:
    fill()
    assert refused(f'UPDATE {table} SET "{column}" = "{column}"')


@pytest.mark.parametrize("table", ["audit_event", "audit_entry", "audit_node", "audit_retention"])
def test_rows_cannot_be_deleted(table: str) -> None:
    fill()
    assert refused(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "change", ["size = 4", "size = 5, root = 'y'", "origin = 'other'", "id = 2", *ALSO_KEPT]
)
def test_a_head_only_grows(change: str) -> None:
    LogRow.objects.create(id=1, origin="one", size=5, root=b"x", started_at=NOW)
    assert refused(f"UPDATE audit_log SET {change}")
    assert refused("DELETE FROM audit_log")
    assert not refused("UPDATE audit_log SET size = 6, root = 'y'")
    assert not refused("UPDATE audit_log SET ended_at = started_at")
    assert refused("UPDATE audit_log SET size = 7, root = 'z'")
    assert refused("UPDATE audit_log SET ended_at = NULL")


@only("postgres")
@pytest.mark.parametrize("name", time_constraints())
def test_a_time_that_python_cannot_read_is_refused(name: str) -> None:
    """One such row would end every reading of the table."""
    for moment in NO_TIMES:
        with pytest.raises(IntegrityError, match=name), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(WITH_A_TIME[name].replace("NOW", f"'{moment}'"))


def test_personal_data_can_be_deleted() -> None:
    fill()
    assert not refused("DELETE FROM audit_personaldata")


def test_a_temporary_cut_off_opens_nothing() -> None:
    """Whoever may delete what was pruned makes a table of that name, which hides the real one."""
    fill()
    if connection.vendor != "postgresql":
        return  # SQLite's triggers see no temporary table
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE audit_retention (cutoff timestamptz)")
        cursor.execute("INSERT INTO audit_retention VALUES ('3000-01-01')")
    try:
        assert refused("DELETE FROM public.audit_event")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE pg_temp.audit_retention")


def test_only_events_before_the_highest_cut_off_can_be_deleted() -> None:
    event_id = fill()
    event = Event.objects.get()
    Retention.objects.create(cutoff=event.time)
    assert refused(f"DELETE FROM audit_event WHERE id = '{event_id}'")
    Retention.objects.create(cutoff=event.time + timedelta(milliseconds=1))
    Retention.objects.create(cutoff=datetime(2020, 1, 1, tzinfo=UTC))
    assert not refused(f"DELETE FROM audit_event WHERE id = '{event_id}'")
    assert refused("DELETE FROM audit_entry")


def test_a_mixed_delete_removes_nothing() -> None:
    fill()
    cutoff = Event.objects.get().time + timedelta(milliseconds=1)
    Retention.objects.create(cutoff=cutoff)
    time.sleep(0.003)
    committed(failure())
    assert refused("DELETE FROM audit_event")
    assert Event.objects.count() == 2


@only("postgres")
def test_tables_cannot_be_truncated() -> None:
    fill()
    for table in list(COLUMNS):
        assert refused(f"TRUNCATE {table}")
        assert refused(f"TRUNCATE {table} CASCADE")


@only("sqlite")
@pytest.mark.parametrize("table", list(COLUMNS))
def test_rows_cannot_be_replaced(table: str) -> None:
    fill()
    assert refused(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


@only("sqlite")
@pytest.mark.parametrize("table", [*COLUMNS, "audit_log"])
def test_rows_cannot_be_replaced_by_their_number(table: str) -> None:
    """A row with other keys at the number of an old one, which SQLite removes without asking the triggers."""
    fill()
    LogRow.objects.create(id=1, origin="one", size=5, root=b"x", started_at=NOW)
    columns = [name for name in COLUMNS.get(table, LOG_COLUMNS) if (table, name) != ("audit_retention", "id")]
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(OTHER_KEYS.get(name, f'"{name}"') for name in columns)
    put = f"INSERT OR REPLACE INTO {table} (rowid, {names}) SELECT {{}}, {values} FROM {table} LIMIT 1"
    assert refused(put.format("rowid"))
    assert not refused(put.format("rowid + 9"))


@only("sqlite")
@pytest.mark.parametrize("table", ALSO_UNIQUE)
def test_rows_cannot_be_replaced_by_what_else_is_theirs_alone(table: str) -> None:
    """A row with other keys, and of an old one but its name or its event."""
    fill()
    LogRow.objects.create(id=1, origin="one", size=5, root=b"x", started_at=NOW)
    columns = COLUMNS.get(table, LOG_COLUMNS)
    kept = {
        name: f'"{name}"' if name == ALSO_UNIQUE[table] else OTHER_KEYS.get(name, f'"{name}"')
        for name in columns
    }
    names = ", ".join(f'"{name}"' for name in columns)
    assert refused(f"INSERT OR REPLACE INTO {table} ({names}) SELECT {', '.join(kept.values())} FROM {table}")


@only("sqlite")
def test_log_cannot_take_the_row_number_of_another() -> None:
    for number, origin in enumerate(("one", "two"), 1):
        LogRow.objects.create(id=number, origin=origin, size=5, root=b"x", started_at=NOW)
    assert refused("UPDATE OR REPLACE audit_log SET rowid = 1 WHERE id = 2")
    assert LogRow.objects.count() == 2


def test_upsert_is_refused() -> None:
    event_id = fill()
    columns = ", ".join(COLUMNS["audit_event"])
    assert refused(
        f"INSERT INTO audit_event ({columns}) SELECT {columns} FROM audit_event WHERE id = '{event_id}' "
        "ON CONFLICT (id) DO UPDATE SET type = 'forged'"
    )


def test_all_triggers_exist_after_migrating() -> None:
    assert missing_triggers() == []


def test_the_check_names_what_was_dropped_or_disabled(log: Log) -> None:
    names = sorted(trigger_names(log.vendor))
    for name, table in trigger_names(log.vendor).items():
        with connection.cursor() as cursor:
            if log.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER {name}")
            else:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    assert missing_triggers() == names
    install(connection)
    assert missing_triggers() == []


@only("sqlite")
def test_the_check_sees_a_table_that_sqlite_remade() -> None:
    with connection.schema_editor() as editor:
        editor._remake_table(Event)  # type: ignore[attr-defined]
    assert missing_triggers() == [f"audit_event_no_{kind}" for kind in ("delete", "replace", "update")]
    install(connection)
    assert missing_triggers() == []


def test_no_other_table_points_into_the_log() -> None:
    """A cascade would be a way around."""
    for model in (*MODELS, LogRow):
        assert not [field for field in model._meta.get_fields() if isinstance(field, models.ForeignKey)]
