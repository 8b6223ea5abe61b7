"""Strict JSON in: one object, UTF-8, no duplicate names, no NaN, no lone surrogates, no deep nesting."""

import json
from typing import Any
from urllib.parse import parse_qsl

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from secure_auth.jws import unique_members

MOST_FIELDS = 50


class StrictFormParser(BaseParser):
    """A form in UTF-8 without repeated names (RFC 6749 appendix B, section 3.2)."""

    media_type = "application/x-www-form-urlencoded"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """The fields of a form.

        Raises:
            ParseError: the body is anything else.
        """
        try:
            pairs = parse_qsl(
                stream.read().decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
            return unique_members(pairs)
        except ValueError as error:
            raise ParseError from error


class StrictJSONParser(BaseParser):
    """RFC 8259 without its loose ends (RFC 8725 section 2.4 tells what duplicate names can do)."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """The object in a body.

        Raises:
            ParseError: the body is anything else.
        """
        try:
            text = stream.read().decode("utf-8")
            body = json.loads(text, object_pairs_hook=unique_members, parse_constant=_refuse)
            if "\\u" in text:
                json.dumps(body, ensure_ascii=False).encode()  # an escaped lone surrogate is no text
        except (ValueError, RecursionError) as error:
            raise ParseError from error
        if not isinstance(body, dict):
            raise ParseError
        return body


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
