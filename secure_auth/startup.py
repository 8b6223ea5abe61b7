"""What stands before the first request: data directory, migrations, master key, key rings, the log, triggers.

Safe to run on any number of nodes at once: a lock of the database (or of the data directory) lets one go first. A
node never makes a master key where a ring exists: it could not open it, and a second ring would split the service.
"""

import base64
import contextlib
import fcntl
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from audit.append import NewEvent, append
from audit.checks import missing_triggers
from audit.events import SYSTEM, EventType, Outcome, Reason
from audit.owned import create_owned, make_owned, open_owned, replace_owned
from secure_auth import clock_watch, integration, keys, letters
from secure_auth.errors import first_line
from secure_auth.models import Key

START_LOCK = 0x5EC0_57A7
OWN_APPS = ("audit", "mfa", "secure_auth", "throttling")


def prepare(*, begins: bool = True) -> None:
    """Make this installation ready to serve, whatever its state. Where none is, make one only if that `begins` it.

    Raises:
        CommandError: it cannot be; one line says why.
    """
    _refuse_foreign_settings()
    try:
        letters.check_templates()
        reach_database()
        if not begins and not is_begun():
            raise CommandError("no installation is here; give the service's environment")
        _make_directories()
        with _start_lock():
            _migrate()
            _ensure_rights()
            _ensure_master_key()
            _ensure_rings()
            keys.note_token_seconds()
            integration.ensure_log()
        keys.read_rings()
        clock_watch.tell()
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    except Error as error:
        where = "DATABASE_URL" if settings.DATABASE_URL else "DATA_DIR"
        raise CommandError(f"{where}: the database is not usable: {first_line(error)}") from error
    except OSError as error:
        raise CommandError(f"DATA_DIR is not usable: {error.strerror}: {error.filename}") from error
    missing = missing_triggers()
    if missing:
        raise CommandError(f"the audit log is not protected: missing {', '.join(missing)}")


def _refuse_foreign_settings() -> None:
    """What an adopting project may have set, and with what this service would not keep its word.

    Raises:
        CommandError: one line names the setting.
    """
    if connection.settings_dict["ATOMIC_REQUESTS"]:
        # What a limit reserved, and the evidence of a refusal, are committed by themselves, or not at all.
        raise CommandError(
            "DATABASES: ATOMIC_REQUESTS must be off: use cases decide in transactions of their own"
        )
    if any(name.startswith("django.middleware.cache.") for name in settings.MIDDLEWARE):
        # It answers before any token is judged: one's data to whoever asks next, with no token or a dead one.
        raise CommandError("MIDDLEWARE: Django's cache of the whole site must be off: cache single views")
    if not connection.settings_dict["ENGINE"].startswith("secure_auth."):
        # Django's own SQLite backend lets two writers at once fail for each other, with 503 for both clients.
        raise CommandError("DATABASES: keep the default of secure_auth.settings: DATABASE_URL names another")
    if not settings.USE_TZ:
        # Events would tell local times as UTC, and their hashes would no longer fit.
        raise CommandError("USE_TZ must be on: times are kept in UTC")
    if settings.DEBUG and settings.PRODUCTION:
        # Its pages of errors show what a request brought, passwords too.
        raise CommandError("DEBUG must be off in production")


def write_back() -> None:
    """Empty SQLite's write-ahead log into the database file, once nobody serves any more.

    What only that log holds is missing in a copy of the file: of a young installation, all of it. Whoever still uses
    the database, or a disk that takes no writing, leaves it as it is; nothing is lost by that.
    """
    path = Path(str(settings.DATABASES["default"]["NAME"]))
    if settings.DATABASE_URL or not path.exists():
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=1)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def reach_database() -> None:
    """Connect once without the pool, whose own error would hide the cause behind its time-out.

    Not by the URL itself: libpq divides it at other places than we do, and repeats what it takes for a host's name.

    Raises:
        CommandError: PostgreSQL cannot be used; one line says why.
    """
    if connection.vendor != "postgresql":
        return
    try:
        psycopg.connect(**connection.get_connection_params()).close()
    except psycopg.Error as error:
        raise CommandError(f"DATABASE_URL: the database is not usable: {first_line(error)}") from error


def is_begun() -> bool:
    """Whether an installation is there; to ask makes nothing."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite" and not Path(str(name)).exists():  # to look inside would make it
        return False
    return Key._meta.db_table in connection.introspection.table_names()


def _make_directories() -> None:
    settings.DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.DATA_DIR.chmod(0o700)
    for name in ("outbox", "hash-slots", "metrics", "static"):
        make_owned(settings.DATA_DIR / name)
    database = Path(str(connection.settings_dict["NAME"]))
    if connection.vendor == "sqlite" and database.parent == settings.DATA_DIR:
        with contextlib.suppress(FileExistsError):  # SQLite's own files beside it get its owner from SQLite
            os.close(create_owned(database))
    for path in settings.DATA_DIR.iterdir():  # `manage.py` sets the umask; what was made before it
        with contextlib.suppress(FileNotFoundError):  # a draft that another process has just renamed
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                path.chmod(stat.S_IMODE(mode) & 0o700)


@contextlib.contextmanager
def _start_lock() -> Iterator[None]:
    """One node at a time: a session lock in PostgreSQL, a flock in the data directory else. A crash frees both."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [START_LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [START_LOCK])
        return
    with os.fdopen(open_owned(settings.DATA_DIR / "start.lock"), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except Error as error:
        if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
            raise CommandError(
                f"migrations are to be run, and this role may not ({first_line(error)}): "
                "run `migrate` as the owner of the tables"
            ) from error
        raise


def _ensure_rights() -> None:
    """What a migration made is its role's: one closed to us would fail duty by duty beside a node that is ready.

    Raises:
        CommandError: the serving role has no right to some; one line names them.
    """
    if connection.vendor != "postgresql":
        return
    tables = sorted(
        {model._meta.db_table for label in OWN_APPS for model in apps.get_app_config(label).get_models()}
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) name "
            "WHERE NOT has_table_privilege(quote_ident(name), 'SELECT') ORDER BY name",
            [tables],
        )
        closed = [name for (name,) in cursor]
    if closed:
        raise CommandError(
            f"this database role may not read {', '.join(closed)}: grant it its rights again, as after each migration"
        )


def _ensure_master_key() -> None:
    """Make the master key file on the very first start: before any ring that it seals, and never half of it."""
    path = settings.MASTER_KEY_FILE
    elsewhere = path.parent != settings.DATA_DIR  # somebody else's to make
    if settings.MASTER_KEY or settings.MASTER_KEY_COMMAND or elsewhere or path.exists():
        return
    if Key.objects.exists():
        raise ImproperlyConfigured(
            f"MASTER_KEY is not set, {path} is missing, and key rings exist that it sealed"
        )
    replace_owned(path, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")


def _ensure_rings() -> None:
    """An active and a next key for each purpose, made once, with their events in the same transaction."""
    with transaction.atomic():
        present = set(Key.objects.values_list("purpose", "state"))
        for purpose in Key.Purpose:
            for state in (Key.State.ACTIVE, Key.State.NEXT):
                if (purpose, state) not in present:
                    _create_key(purpose, state)


def _create_key(purpose: str, state: str) -> None:
    key = keys.create_key(purpose, state)
    append(
        NewEvent(
            type=EventType.KEY_CREATE,
            outcome=Outcome.SUCCESS,
            reason=Reason.FIRST_START,
            source=SYSTEM,
            details={"key_id": key.kid, "purpose": purpose},
        )
    )
