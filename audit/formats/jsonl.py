"""JSON Lines: the event as the API shows it, one object a line."""

import json
from collections.abc import Mapping
from typing import Any

from audit.records import Record

encode = json.JSONEncoder(separators=(",", ":")).encode


def line(record: Record, proof: Mapping[str, Any] | None) -> str:
    """One line; `proof` is a member of its own, null while no checkpoint covers the event."""
    event = record.as_dict()
    if proof is not None:
        event["proof"] = proof or None
    return encode(event) + "\n"
