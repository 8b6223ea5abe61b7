"""Rows of accounts from a file: CSV, JSON lines, or what Django's `dumpdata auth.user` wrote."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from secure_auth.acting import Refused
from secure_auth.transfer.fields import KNOWN
from secure_auth.transfer.lines import MOST_LINE_BYTES, Line, read_lines

DELIMITERS = (",", ";", "\t")
CHUNK_CHARACTERS = 1 << 16
NO_NAMES = "line 1: the names of the columns are expected"
_GAP = re.compile(r"[\s,]*")
# what export_users puts before a formula sign
_FORMULA = re.compile(r"'(?=['=+\-@\t\r\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True)
class Row:
    """One account's fields, or the code of what is wrong with the whole row; `done` is how far the source is read."""

    number: int
    fields: dict[str, Any] = field(repr=False)
    fault: str = ""
    done: int = 0


def read_csv(file: BinaryIO) -> Iterator[Row]:
    """RFC 4180, one record a line; the first names the columns. Comma, semicolon or tab, whichever the first has.

    Raises:
        Refused: the first line is not one of known names.
    """
    lines = read_lines(file)
    head = next(lines, None)
    if head is None or head.fault:
        raise Refused(NO_NAMES)
    delimiter = max(DELIMITERS, key=head.text.count)
    try:
        names = [name.strip().lower() for name in _cells(head.text, delimiter)]
    except csv.Error as error:
        raise Refused(NO_NAMES) from error
    _demand_names(names)
    for line in lines:
        try:
            cells = _cells(line.text, delimiter)
        except csv.Error:
            yield Row(line.number, {}, line.fault or "malformed_csv", line.done)
            continue
        fault = line.fault or ("" if len(cells) == len(names) else "wrong_number_of_cells")
        values = {name: _FORMULA.sub("", cell, count=1) for name, cell in zip(names, cells, strict=False)}
        yield Row(line.number, values, fault, line.done)


def _cells(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter, strict=True), [])


def _demand_names(names: list[str]) -> None:
    unknown = next((place for place, name in enumerate(names, 1) if name not in KNOWN), 0)
    if unknown:
        raise Refused(f"line 1: column {unknown} has no known name; known are {', '.join(sorted(KNOWN))}")
    if len(set(names)) != len(names):
        raise Refused("line 1: a column stands twice")
    if not {"email", "username"} & set(names):
        raise Refused("line 1: there is no column email")


def read_jsonl(file: BinaryIO) -> Iterator[Row]:
    """One JSON object a line; also Django's `dumpdata auth.user --format jsonl`."""
    for line in read_lines(file):
        yield _json_row(line)


def _json_row(line: Line) -> Row:
    if line.fault:
        return Row(line.number, {}, line.fault, line.done)
    try:
        found = json.loads(line.text, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError):
        return Row(line.number, {}, "malformed_json", line.done)
    return _object_row(line.number, found, line.done)


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _object_row(number: int, found: Any, done: int) -> Row:
    """The fields of an object, or of Django's object around them."""
    if isinstance(found, dict) and isinstance(found.get("fields"), dict):
        if found.get("model") != "auth.user":
            return Row(number, {}, "not_a_user", done)
        found = found["fields"]
    return Row(number, found, "", done) if isinstance(found, dict) else Row(number, {}, "not_an_object", done)


def read_dump(file: BinaryIO) -> Iterator[Row]:
    """Django's `dumpdata auth.user`: one JSON array, read object by object; numbered by object.

    Raises:
        Refused: it is not JSON from some object on; what came before it was read.
    """
    characters = _Characters(file)
    if characters.skip() != "[":
        raise Refused("this is no JSON array as dumpdata writes it")
    characters.advance(1)
    number = 0
    while (first := characters.skip()) != "]":
        number += 1
        found = characters.take() if first else None
        if found is None:
            raise Refused(f"object {number} is not JSON, or longer than {MOST_LINE_BYTES} characters")
        yield _object_row(number, found, characters.done)


class _Characters:
    """The text of a file, with no more of it in memory than one object."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._text, self.done = file, "", 0
        self._decoder = json.JSONDecoder(object_pairs_hook=_no_doubles)
        self._rest = b""

    def _more(self) -> bool:
        """Read on; cut where a character ends."""
        data = self._rest + self._file.read(CHUNK_CHARACTERS)
        if len(data) == len(self._rest):
            return False
        try:
            text, self._rest = data.decode("utf-8"), b""
        except UnicodeDecodeError as error:
            if error.end < len(data) or len(data) - error.start > 3:
                raise Refused("the file is not UTF-8") from error
            text, self._rest = data[: error.start].decode("utf-8"), data[error.start :]
        self.done += len(data) - len(self._rest)
        self._text += text.removeprefix("\ufeff")
        return True

    def skip(self) -> str:
        """Pass blanks and commas; the next character, empty at the end."""
        while True:
            self.advance(_GAP.match(self._text).end())  # type: ignore[union-attr]
            if self._text or not self._more():
                return self._text[:1]

    def advance(self, count: int) -> None:
        """Drop what was read."""
        self._text = self._text[count:]

    def take(self) -> Any:
        """The next value; None where there is none."""
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text)
            except (ValueError, RecursionError):
                if len(self._text) > MOST_LINE_BYTES + CHUNK_CHARACTERS or not self._more():
                    return None
                continue
            self.advance(end)
            return found


READERS: dict[str, Callable[[BinaryIO], Iterator[Row]]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "auth_user": read_dump,
}
