"""The lines of a file that somebody else wrote: UTF-8, one record a line, whatever is in them.

A line that cannot be read is a fault of that line; the next one is read. Memory is bounded by MOST_LINE_BYTES however
long a line is. A file that is UTF-16 is refused as a whole: none of its lines could be read.
"""

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from secure_auth.acting import Refused

MOST_LINE_BYTES = 64 * 1024
CHUNK_BYTES = 1 << 20
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Line:
    """One line without its end, or the code of what is wrong with it; `done` bytes of the file are read with it."""

    number: int
    text: str = field(repr=False)
    fault: str
    done: int


def open_file(path: Path) -> BinaryIO:
    """A file of text.

    Raises:
        Refused: it cannot be read, or is UTF-16.
    """
    try:
        file = path.open("rb")
        beginning = file.read(4)
        file.seek(0)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    if beginning.startswith(UTF16) or b"\0" in beginning:
        file.close()
        raise Refused(f"{path} is not UTF-8 but UTF-16 or binary: convert it, for example with iconv")
    return file


def digest_file(file: BinaryIO) -> str:
    """SHA-256 of a file, in hexadecimal; its place afterwards is its beginning."""
    whole = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        whole.update(chunk)
    file.seek(0)
    return whole.hexdigest()


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """Its lines that are not empty, numbered from 1."""
    number = done = 0
    while data := file.readline(MOST_LINE_BYTES + 1):
        number, done = number + 1, done + len(data)
        is_whole = len(data) <= MOST_LINE_BYTES or data.endswith(b"\n")
        if not is_whole:
            done += _skip_line(file)
            yield Line(number, "", "too_long", done)
            continue
        if number == 1:
            data = data.removeprefix(codecs.BOM_UTF8)
        if stripped := data.rstrip(b"\r\n"):
            yield _decoded(number, stripped, done)


def _skip_line(file: BinaryIO) -> int:
    """Pass the rest of a line; how many bytes it was."""
    passed = 0
    while True:
        rest = file.readline(CHUNK_BYTES)
        passed += len(rest)
        if len(rest) < CHUNK_BYTES or rest.endswith(b"\n"):
            return passed


def _decoded(number: int, data: bytes, done: int) -> Line:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return Line(number, "", "not_utf8", done)
    return Line(number, text, "null_character" if "\0" in text else "", done)
