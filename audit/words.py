"""Where in an event words are looked for, and how case is folded: alike on both databases, and for all letters.

Free text is stored as JSON: only its values are looked at, as they were typed. `audit.textindex` takes the same text,
and folds it by the same rule, or it would hide what a search finds.
"""

import sqlite3
from functools import cache
from typing import Any, Final

from django.db import connection

from audit.vocabulary import Text

CLEAR: Final = ("id", "type", "outcome", "reason", "severity", "session", "request_id")
OWN: Final = ("user", "subject", "ip", "user_agent", "foreign_request_id")
EMPTY: Final = "{}"
_LOWER: Final = "audit_lower"
FINAL_SIGMA, SIGMA = "\u03c2", "\u03c3"
_ALL_LETTERS: Final = "und-x-icu"


def searched() -> str:
    """The text of an event, of the tables e and p, in SQL."""
    value = "p.text ->> '{}'" if connection.vendor == "postgresql" else "json_extract(p.text, '$.{}')"
    free = " || ' ' || ".join(f"COALESCE({value.format(name)}, '')" for name in Text)
    return " || ' ' || ".join(
        [
            *(f"e.{name}" for name in CLEAR),
            *(f"COALESCE(p.\"{name}\", '')" for name in OWN),
            f"CASE WHEN p.text = '{EMPTY}' THEN '' ELSE {free} END",
        ]
    )


def holds(word: str) -> tuple[str, str]:
    """The condition that a word, whose case does not matter, occurs in that text, and its value."""
    pattern = "%" + _fold(word).replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%"
    text, like = f"({searched()})", "LIKE"
    if connection.vendor == "sqlite":
        text = text if word.isascii() else f"{_LOWER}{text}"
    elif word.isascii():  # by bytes, where that is the same: several times faster
        like = 'COLLATE "C" ILIKE'
    else:
        text = f"""replace(lower({text} COLLATE "{_folding()}"), '{FINAL_SIGMA}', '{SIGMA}')"""
    return f"{text} {like} %s ESCAPE '!'", pattern


def _fold(text: str) -> str:
    """A sigma at the end of a word is another small letter, but no other word."""
    return text.lower().replace(FINAL_SIGMA, SIGMA)


@cache
def _folding() -> str:
    """A collation of PostgreSQL that knows all letters; where it was built without, the one of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_collation WHERE collname = %s", [_ALL_LETTERS])
        return _ALL_LETTERS if cursor.fetchone() else "default"


def teach_sqlite(*, connection: Any, **_: object) -> None:
    """Give a new connection Python's `lower`: SQLite's own knows ASCII letters only. A receiver of a signal."""
    if connection.vendor == "sqlite":
        database: sqlite3.Connection = connection.connection
        database.create_function(_LOWER, 1, _fold, deterministic=True)
