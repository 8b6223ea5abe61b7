"""`manage.py` of a service whose log only begins: what it saves is what appending costs (`tests.bench.appending`)."""

import os
import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ["DJANGO_SETTINGS_MODULE"] = "secure_auth.settings"
    django.setup()
    from django.db import connection

    import audit.append

    append: ModuleType = audit.append

    def cursor_of_a_change() -> Any:
        return append._prepared_cursor() if connection.vendor == "postgresql" else connection.cursor()

    def change(statement: str, values: Sequence[Any], record: object) -> Sequence[Any] | None:
        with cursor_of_a_change() as cursor:
            cursor.execute(statement, values)
            found: Sequence[Any] | None = cursor.fetchone()
            return found

    nobody: Any = SimpleNamespace(id="", salts={})
    prepare, insert = append.prepare, append._insert

    def insert_first(records: Sequence[Any], change: Any = None) -> tuple[str, ...]:
        first = [record for record in records if record is not nobody]
        if change and not first:
            with cursor_of_a_change() as cursor:
                cursor.execute(*change)
        told: tuple[str, ...] = insert(first, change) if first else ()
        return told or ("",) * len(records)

    vars(append).update(
        prepare=lambda event: prepare(event) if event.type == "log.start" else nobody,
        _insert=insert_first,
        _change_and_insert=change,
        _print_on_commit=lambda records: None,
    )
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
