"""Triggers that keep the log append-only, on SQLite and PostgreSQL, and the function that counts floods.

Refused: every UPDATE of events, entries, nodes, checkpoints, cosignatures, retention and personal data; every DELETE of
entries, nodes, logs and retention; DELETE of events that are not before the highest cut-off in retention; every UPDATE
of a log but of a head that grows or ends; TRUNCATE (PostgreSQL) and INSERT OR REPLACE (SQLite), which go past row
triggers. They bind whoever has no right to drop them: the serving role should not own the tables.

On PostgreSQL constraints refuse times that Python cannot read (infinity, years of five digits): one such row would
blind whoever reads the table. SQLite has no roles: who can write to its file can drop what stands in it.

A migration that alters one of these tables must call `install` after it: SQLite remakes a table without its
triggers.
"""

from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

# table: (its keys, may rows be deleted: "never", by "retention", or "freely")
GUARDED: Final = {
    "audit_event": (("id",), "retention"),
    "audit_entry": (("log", "index"), "never"),
    "audit_node": (("log", "level", "index"), "never"),
    "audit_checkpoint": (("log", "size"), "freely"),
    "audit_cosignature": (("log", "size", "witness"), "freely"),
    "audit_log": (("id",), "never"),
    "audit_personaldata": (("event",), "freely"),
    "audit_retention": (("id",), "never"),
}
ALSO_UNIQUE: Final = {"audit_entry": "event", "audit_log": "origin"}
GROWING: Final = "audit_log"  # UPDATE only to what continues it
TIMES: Final = {
    "audit_event": ("time",),
    "audit_checkpoint": ("time",),
    "audit_cosignature": ("time",),
    "audit_log": ("started_at", "ended_at"),
    "audit_retention": ("cutoff", "time"),
}
GIVEN: Final = (
    "NEW.rowid <> -1"  # what SQLite tells a BEFORE trigger of a row number that it has yet to choose
)
KINDS: Final = {"sqlite": ("update", "delete", "replace"), "postgresql": ("update", "delete", "truncate")}


def trigger_names(vendor: str) -> dict[str, str]:
    """The triggers that must exist, with their tables."""
    return {
        f"{table}_no_{kind}": table
        for table, (_, deletion) in GUARDED.items()
        for kind in KINDS[vendor]
        if (kind, deletion) != ("delete", "freely")
    }


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers, or create them again.

    Raises:
        NotImplementedError: a database that is neither SQLite nor PostgreSQL.
    """
    if connection.vendor not in KINDS:
        raise NotImplementedError(f"no triggers for {connection.vendor}: the log would not be append-only")
    make = _sqlite if connection.vendor == "sqlite" else _postgresql
    statements = (
        []
        if connection.vendor == "sqlite"
        else [REFUSE, KEEP.format(schema=_schema(connection)), GROW, OPENS_WINDOW]
    )
    present = set(connection.introspection.table_names())  # an early migration knows fewer tables
    for name, table in trigger_names(connection.vendor).items():
        if table in present:
            statements += make(name, table, name.rpartition("_")[2])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def time_constraints() -> dict[str, tuple[str, str]]:
    """The constraints on times, with their tables and columns."""
    return {f"{table}_{name}_readable": (table, name) for table, names in TIMES.items() for name in names}


def bound_times_in_migration(_apps: Any, schema_editor: Any) -> None:
    """For RunPython, again where it ran before. Rows that are there already are not asked: `verify_log` judges them."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for constraint, (table, column) in time_constraints().items():
        schema_editor.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}, "
            f"ADD CONSTRAINT {constraint} CHECK ({column} >= timestamptz '1970-01-01 00:00+00'"
            f" AND {column} < timestamptz '9999-01-01 00:00+00') NOT VALID"
        )


def _schema(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return str(cursor.fetchone()[0])


def install_in_migration(_apps: Any, schema_editor: Any) -> None:
    """For RunPython."""
    install(schema_editor.connection)


def _sqlite(name: str, table: str, kind: str) -> list[str]:
    keys, deletion = GUARDED[table]
    when = f"{kind.upper()} ON {table}"
    if kind == "replace":
        unique = [keys, (ALSO_UNIQUE[table],)] if table in ALSO_UNIQUE else [keys]
        clashes = [
            *(_exists(table, columns) for columns in unique),
            f"{GIVEN} AND {_exists(table, ('rowid',))}",
        ]
        when = f"INSERT ON {table} WHEN " + " OR ".join(clashes)
    elif (kind, deletion) == ("delete", "retention"):
        when += " WHEN OLD.time >= COALESCE((SELECT max(cutoff) FROM audit_retention), '')"
    elif (kind, table) == ("update", GROWING):
        when += f" WHEN {UNLIKE} OR NEW.rowid <> OLD.rowid"
    refuse = f"SELECT RAISE(ABORT, '{table} is append-only: {kind} refused')"
    return [f"DROP TRIGGER IF EXISTS {name}", f"CREATE TRIGGER {name} BEFORE {when} BEGIN {refuse}; END"]


def _exists(table: str, columns: tuple[str, ...]) -> str:
    clash = " AND ".join(f'"{column}" = NEW."{column}"' for column in columns)
    return f"EXISTS (SELECT 1 FROM {table} WHERE {clash})"  # noqa: S608 constants


def _postgresql(name: str, table: str, kind: str) -> list[str]:
    each = "STATEMENT EXECUTE FUNCTION audit_refuse()"
    if (kind, GUARDED[table][1]) == ("delete", "retention"):
        each = "ROW EXECUTE FUNCTION audit_keep()"
    elif (kind, table) == ("update", GROWING):
        each = "ROW EXECUTE FUNCTION audit_grow()"
    return [
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} BEFORE {kind.upper()} ON {table} FOR EACH {each}",
    ]


# A head grows, or it ends; not both at once, and nothing else of it changes.
UNLIKE: Final = (
    "NEW.id <> OLD.id OR NEW.origin <> OLD.origin OR NEW.started_at <> OLD.started_at OR NEW.size < OLD.size"
    " OR OLD.ended_at IS NOT NULL OR (NEW.size = OLD.size AND NEW.root <> OLD.root)"
    " OR (NEW.size <> OLD.size AND NEW.ended_at IS NOT NULL)"
)

REFUSE: Final = """
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'integrity_constraint_violation';
END $$"""

KEEP: Final = """
CREATE OR REPLACE FUNCTION audit_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- by its schema: a temporary table of this name would come first
    IF OLD.time < (SELECT max(cutoff) FROM {schema}.audit_retention) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only: delete refused', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$"""

GROW: Final = f"""
CREATE OR REPLACE FUNCTION audit_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {UNLIKE} THEN
        RAISE EXCEPTION '% is append-only: update refused', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$"""

# READ COMMITTED gives each statement inside a new view: after the wait for the lock the opener is visible.
OPENS_WINDOW: Final = """
CREATE OR REPLACE FUNCTION audit_opens_window(
    p_bucket varchar, p_event varchar, p_seconds integer, p_user varchar, p_session varchar, p_about jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    waited boolean := false;
BEGIN
    LOOP
        UPDATE audit_tally SET count = count + 1,
               "user" = CASE WHEN "user" = p_user THEN p_user ELSE '' END,
               session = CASE WHEN session = p_session THEN p_session ELSE '' END
         WHERE id = (SELECT id FROM audit_tally WHERE bucket = p_bucket AND ends_at > clock_timestamp()
                     ORDER BY ends_at LIMIT 1 FOR UPDATE SKIP LOCKED);
        IF FOUND THEN
            RETURN false;
        END IF;
        INSERT INTO audit_tally (bucket, first_event, ends_at, count, "user", session, about)
             SELECT bucket, first_event, ends_at, 1, p_user, p_session, about
               FROM audit_tally WHERE bucket = p_bucket AND ends_at > clock_timestamp() LIMIT 1;
        IF FOUND THEN
            RETURN false;
        END IF;
        EXIT WHEN waited;
        PERFORM pg_advisory_xact_lock(hashtextextended('audit_tally ' || p_bucket, 0));
        waited := true;
    END LOOP;
    INSERT INTO audit_tally (bucket, first_event, ends_at, count, "user", session, about)
         VALUES (p_bucket, p_event, clock_timestamp() + make_interval(secs => p_seconds),
                 0, p_user, p_session, p_about);
    RETURN true;
END $$"""
