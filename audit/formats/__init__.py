"""The formats of an export: pure functions from an event to one line, by name.

A line ends with a line break and holds no other that a reader might take for its end. Lines of `jsonl`, `ocsf` and
`ecs` are ASCII: no reader splits them at U+2028 or U+0085. What was erased is left out or empty. The tables of fields
are in docs/reading-the-log.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from audit.formats import cef, csv_rows, ecs, jsonl, ocsf
from audit.records import Record
from audit.vocabulary import Format

Proof = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """How a format is written.

    `line` takes an event and its proof: None where none was asked for, empty while no checkpoint covers the event.
    `head` is what stands before the first line, with or without proofs.
    """

    media_type: str
    suffix: str
    line: Callable[[Record, Proof | None], str]
    head: Callable[[bool], str] = lambda with_proofs: ""


NDJSON: Final = "application/x-ndjson"
WRITERS: Final = {
    Format.JSONL: Writer(NDJSON, "jsonl", jsonl.line),
    Format.CSV: Writer("text/csv; charset=utf-8; header=present", "csv", csv_rows.line, csv_rows.head),
    Format.OCSF: Writer(NDJSON, "ocsf.jsonl", ocsf.line),
    Format.ECS: Writer(NDJSON, "ecs.jsonl", ecs.line),
    Format.CEF: Writer("text/plain; charset=utf-8", "cef", cef.line),
}
