"""structlog: one JSON line an event, with secrets redacted.

A server's lines go to standard output; those of a command to standard error, for its output belongs to its answer
(`lines.py`).
Redaction is the second net: callers pass no secret in the first place. It covers keys whose names say so and
anything that looks like a JWT, wherever it stands in a line.
"""

import logging
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import structlog

from secure_auth import lines
from throttling.limits import KEY_KINDS

SECRET_NAMES = re.compile(
    r"pass(word|wd)|secret|token|authorization|cookie|credential|otp|(^|_)code$|(^|_)key$|refresh|access",
    re.I,
)
SECRET_VALUES = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=#token=)[^\s\"']+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)")
HIDDEN = "[redacted]"
NAMES_IN_CLEAR = frozenset({"code", "key_kind", "error_code", "token_type", "event"})
KINDS_OF_KEYS = frozenset(KEY_KINDS.values())  # what `key` says in an event: never which one


def redact(_logger: object, _method: str, line: Mapping[str, Any]) -> dict[str, Any]:
    """Hide values by the name of their key and JWTs, link tokens and URL passwords by their form."""
    return {name: _redacted(name, value) for name, value in line.items()}


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, str):  # first: nearly all are, and to tell a Mapping takes as long as the rest
        is_kind = name == "key" and value in KINDS_OF_KEYS
        return HIDDEN if _names_secret(name) and not is_kind else _hide_in(value)
    if isinstance(value, dict | Mapping):
        return {key: _redacted(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(name, inner) for inner in value]
    if value is None or isinstance(value, int | float):
        return value
    # An error, bytes, a set: what JSON would show of it.
    return HIDDEN if _names_secret(name) else _hide_in(repr(value))


def _hide_in(text: str) -> str:
    """What the pattern finds has one of three marks: to look for them takes a tenth of its time."""
    if "eyJ" in text or "://" in text or "#token=" in text:
        return SECRET_VALUES.sub(HIDDEN, text)
    return text


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    return name not in NAMES_IN_CLEAR and SECRET_NAMES.search(name) is not None


SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
JSON = structlog.processors.JSONRenderer()


def _render(line: dict[str, Any]) -> str:
    return str(JSON(None, "", redact(None, "", line)))


class LineWriter:
    """What structlog calls a logger: takes the fields of a line."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, /, **line: Any) -> None:
        lines.write(partial(_render, line))

    debug = info = warning = error = critical = write


class LineHandler(logging.Handler):
    """The standard library's records, to the same place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lines.write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler does: a line must fail nothing
            self.handleError(record)


def _is_fault(record: logging.LogRecord) -> bool:
    """A 503 is a refusal too: what is away was logged where it was noticed."""
    return getattr(record, "status_code", 500) != 503


def configure(config: Mapping[str, str]) -> None:
    """Django's LOGGING_CONFIG callable: structlog and the standard library write the same lines.

    structlog's do not pass through the standard library: that took half of what an audit event's line cost.
    """
    level = config.get("level", "INFO")
    structlog.configure(
        processors=[*SHARED, structlog.processors.format_exc_info],  # the rest where a line is written
        logger_factory=LineWriter,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = LineHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                JSON,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Django's own would mail each error to ADMINS, with the form, passwords among it, and the cookies of its request.
    logging.getLogger("django").handlers.clear()
    # Libraries tell at INFO whom they ask, by whole URLs: a password's prefix, a receiver's secret path.
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    # Refusals are events and metrics; a warning line for each would let a flood fill the disk.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    logging.getLogger("django.request").addFilter(_is_fault)
    # Django tells these, too many fields among them, as errors with a traceback.
    logging.getLogger("django.security").setLevel(logging.CRITICAL)
    logging.getLogger("axes").setLevel(logging.ERROR)
    logging.getLogger("psycopg.pool").setLevel(
        logging.ERROR
    )  # a line a try; that the database is away is told once
