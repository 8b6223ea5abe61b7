"""Ids: UUIDv7 as text, opaque to clients, ordered for the index."""

import re

import uuid_utils

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def new_id() -> str:
    """A UUIDv7 (RFC 9562 section 5.7) as text."""
    return str(uuid_utils.uuid7())


def is_request_id(text: str) -> bool:
    """Whether a request's own X-Request-ID is one that its answer echoes."""
    return REQUEST_ID.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether a stranger's text has the form of our ids, before it is looked for."""
    return ID.fullmatch(text) is not None
