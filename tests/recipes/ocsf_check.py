"""Judges OCSF events, one a line of standard input, by the published schema and py-ocsf-models; prints the faults.

Runs in a process of its own, with a folder on its path into which the two packages were installed.
"""

import json
import sys
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-not-found]
from py_ocsf_models.events.base_event import BaseEvent  # type: ignore[import-not-found]
from py_ocsf_models.events.findings.detection_finding import (  # type: ignore[import-not-found]
    DetectionFinding,
)

SCHEMA = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
DETECTION_FINDING = 2004


@cache
def validator(class_uid: int) -> Any:
    """The published JSON schema of a class; attributes that it doesn't have are refused."""
    return Draft202012Validator(SCHEMA.get_class_schema(SCHEMA.lookup_class_name_from_uid(class_uid)))


def faults(event: dict[str, Any]) -> list[str]:
    """What is wrong with an event."""
    found = [
        f"{error.json_path}: {error.message[:300]}"
        for error in validator(event["class_uid"]).iter_errors(event)
    ]
    for model in (BaseEvent, DetectionFinding) if event["class_uid"] == DETECTION_FINDING else (BaseEvent,):
        try:
            model.model_validate(event)
        except ValueError as error:
            found.append(f"{model.__name__}: {error}")
    return found


for line in sys.stdin:
    one = json.loads(line)
    for fault in faults(one):
        print(one["message"], fault)
