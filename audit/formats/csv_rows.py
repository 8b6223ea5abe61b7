"""CSV: RFC 4180 in UTF-8, with a header line and CRLF; one column a field, details and proof as JSON.

Spreadsheets run what begins with a formula sign, and a stranger may choose a user agent: no cell begins with one. Such
a cell gets an apostrophe in front, which spreadsheets take for "this is text" (OWASP, CSV Injection). Where a comma is
the decimal sign they divide lines at semicolons, and any may be told to divide at tabs: what follows one is a cell too.
"""

import csv
import re
from collections.abc import Mapping
from typing import Any, Final

from audit.formats.jsonl import encode
from audit.records import Record
from audit.validation import rfc3339

COLUMNS: Final = (
    "id", "time", "type", "outcome", "reason", "severity", "user", "subject", "session", "ip", "user_agent",
    "request_id", "details",
)  # fmt: skip
# Tabs and line breaks are passed over before a formula by some programs, full-width signs are read as signs by others.
FORMULA_SIGNS: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
# Some programs trim cells. Where they divide within one, its quotes are those of the part, doubled: they fall away.
PASSED_OVER: Final = ' \u00a0\u200b\ufeff"'
_FORMULA: Final = re.compile(f"(^|[;\t\r\n])(?=[{PASSED_OVER}]*[{re.escape(FORMULA_SIGNS)}])")


class _Line:
    """What csv.writer takes for a file: it hands each line back."""

    def write(self, text: str) -> str:
        return text


_row = csv.writer(_Line(), lineterminator="\r\n").writerow


def head(with_proofs: bool) -> str:
    """The names of the columns."""
    return written([*COLUMNS, "proof"] if with_proofs else list(COLUMNS))


def line(record: Record, proof: Mapping[str, Any] | None) -> str:
    """One line; the proof is a last cell of JSON, empty while no checkpoint covers the event."""
    cells = [
        record.id,
        rfc3339(record.time),
        record.type,
        record.outcome,
        record.reason,
        record.severity,
        record.user,
        record.subject,
        record.session,
        record.ip,
        record.user_agent,
        record.request_id,
        _json({**record.details, **record.text}),
    ]
    if proof is not None:
        cells.append(_json(proof) if proof else "")
    return written([harmless(cell) for cell in cells])


def harmless(cell: str) -> str:
    """The cell, with an apostrophe wherever a spreadsheet would run what follows."""
    return _FORMULA.sub(r"\1'", cell)


def _json(value: Mapping[str, Any]) -> str:
    """JSON that no spreadsheet divides, so that what is proved needs no apostrophe."""
    return encode(value).replace(";", "\\u003b")


def written(cells: list[str]) -> str:
    """One line of these cells."""
    return str(_row(cells))
