"""The columns of ids, enums and addresses."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class KeyField(models.CharField):
    """Text that is compared byte by byte: ids, enums, addresses.

    On PostgreSQL the column has collation "C", whatever the database's is, and no second index for LIKE;
    SQLite compares bytes already.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        """The type spelled out: Django makes a LIKE index for what begins with "varchar"."""
        if connection.vendor == "postgresql":
            return f"character varying({self.max_length})"
        return super().db_type(connection)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """The column's collation."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters
