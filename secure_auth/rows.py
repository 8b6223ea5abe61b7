"""One row by a constant statement.

The ORM builds its SQL anew for every query; beside a password's hash that was most of what a login cost. Here the
statement is a constant and only values travel. PostgreSQL parses and plans it once a connection, not once a request.
Values are converted as the ORM converts them, so that a row read here equals one read there on every database.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import CursorWrapper
from django.db.models import Field, Model
from django.db.models.base import ModelState

Row = TypeVar("Row", bound=Model)
Related = TypeVar("Related", bound=Model)
Converter = Any


@cache
def columns(model: type[Model], alias: str = "") -> str:
    """The columns of a model as `fetch_row` expects them first in a statement, behind `alias` where one is given."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(f'{prefix}"{field.column}"' for field in model._meta.concrete_fields)


def fetch_values(statement: str, values: Sequence[Any]) -> Sequence[Any] | None:
    """The first row of a constant statement, as the driver gives it."""
    with prepared_cursor() as cursor:
        cursor.execute(statement, values)
        found: Sequence[Any] | None = cursor.fetchone()
        return found


def prepared_cursor() -> CursorWrapper:
    """A cursor whose statements PostgreSQL prepares; Django's own sends text with the values in it."""
    database = connections[DEFAULT_DB_ALIAS]  # what `connection` looks up at each use of it
    if database.vendor != "postgresql":
        return database.cursor()
    database.ensure_connection()
    return CursorWrapper(psycopg.Cursor(database.connection), database)


def fetch_row(
    model: type[Row], statement: str, values: Sequence[Any], *, extra: Sequence[str] = ()
) -> Row | None:
    """The first row of a statement that answers columns(model) and then one column for each name in `extra`."""
    found = fetch_values(statement, values)
    if found is None:
        return None
    instance, rest = _instance(model, found)
    for name, value in zip(extra, rest, strict=True):
        setattr(instance, name, value)
    return instance


def fetch_rows(model: type[Row], statement: str, values: Sequence[Any]) -> list[Row]:
    """All rows of a statement that answers columns(model)."""
    with prepared_cursor() as cursor:
        cursor.execute(statement, values)
        return [_instance(model, found)[0] for found in cursor.fetchall()]


def fetch_pair(
    first: type[Row], second: type[Related], statement: str, values: Sequence[Any], *, moment: str = ""
) -> tuple[Row, Related] | None:
    """The first row of a statement that answers the columns of two models, one behind the other.

    Then may come a time, which the first gets as its attribute `moment`.
    """
    found = fetch_values(statement, values)
    if found is None:
        return None
    one, rest = _instance(first, found)
    other, rest = _instance(second, rest)
    if moment:
        setattr(one, moment, _as_moment(rest[0]))
    return one, other


def _as_moment(value: Any) -> datetime | None:
    """A time as the ORM reads it; SQLite answers text."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def change_rows(statement: str, values: Sequence[Any]) -> int:
    """How many rows a constant statement changed."""
    database = connections[DEFAULT_DB_ALIAS]
    adapt = database.ops.adapt_datetimefield_value
    with prepared_cursor() as cursor:
        cursor.execute(statement, [adapt(one) if isinstance(one, datetime) else one for one in values])
        return int(cursor.rowcount)


def as_part(model: type[Row], names: tuple[str, ...], values: Sequence[Any]) -> Row:
    """An instance that has these attributes only, as the ORM's `only()` gives it, in a tenth of the time.

    Any other is read from the database where somebody asks for it.
    """
    instance = model.__new__(model)
    vars(instance).update(zip(names, _converted(model, names, values), strict=True))
    instance._state = ModelState()
    instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
    return instance


def _instance(model: type[Row], values: Sequence[Any]) -> tuple[Row, Sequence[Any]]:
    """An instance of the first values, and the values that are left."""
    names = _attributes(model)
    row = _converted(model, names, values[: len(names)])
    return model.from_db(DEFAULT_DB_ALIAS, names, row), values[len(names) :]


def _converted(model: type[Model], names: tuple[str, ...], values: Sequence[Any]) -> list[Any]:
    database, row = connections[DEFAULT_DB_ALIAS], list(values)
    for place, column, convert in _converters(model, names, database.vendor):
        for one in convert:
            row[place] = one(row[place], column, database)
    return row


@cache
def _attributes(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


@cache
def _converters(
    model: type[Model], names: tuple[str, ...], _vendor: str
) -> list[tuple[int, Any, list[Converter]]]:
    """Which of these attributes, by place, need which converters on this database."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    plans = [
        (place, column, connection.ops.get_db_converters(column) + column.get_db_converters(connection))
        for place, column in enumerate(fields[name].get_col(model._meta.db_table) for name in names)
    ]
    return [plan for plan in plans if plan[2]]


def insert_row(instance: Model, *, returning: str) -> Any:
    """Insert a new instance whose primary key is known; the value of the constant expression `returning`."""
    statement, values = insertion(instance)
    with prepared_cursor() as cursor:
        cursor.execute(f"{statement} RETURNING {returning}", values)
        return cursor.fetchone()[0]


def insertion(instance: Model) -> tuple[str, list[Any]]:
    """The statement that inserts a new instance whose primary key is known, and its values; the caller executes it."""
    fields: Sequence[Field[Any, Any]] = instance._meta.concrete_fields
    database = connections[DEFAULT_DB_ALIAS]
    values = [field.get_db_prep_save(field.pre_save(instance, True), database) for field in fields]
    instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
    return _insert(type(instance)), values


@cache
def _insert(model: type[Model]) -> str:
    places = ", ".join(["%s"] * len(model._meta.concrete_fields))
    return f'INSERT INTO "{model._meta.db_table}" ({columns(model)}) VALUES ({places})'  # noqa: S608 constants
