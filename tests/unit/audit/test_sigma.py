"""The Sigma files say what the rules say, in the form of Sigma 2 (rules and correlations)."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from audit.detections.rule import Rule
from audit.detections.rules import RULES
from audit.events import EventType, Outcome, Reason
from audit.vocabulary import LimitPurpose

DIRECTORY = Path(__file__).parents[3] / "audit" / "detections" / "sigma"
FILES = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in sorted(DIRECTORY.glob("*.yml"))}
FIELDS: dict[str, frozenset[str]] = {
    "type": frozenset(EventType),
    "outcome": frozenset(Outcome),
    "reason": frozenset(Reason),
    "details.limit": frozenset(LimitPurpose),
}
SPANS = {"1h": 3600, "1d": 86400}


def base(rule: str) -> list[dict[str, Any]]:
    return [document for document in FILES[rule] if "detection" in document]


def correlations(rule: str) -> list[dict[str, Any]]:
    return [document for document in FILES[rule] if "correlation" in document]


def test_every_rule_has_a_file_and_every_document_an_id_of_its_own() -> None:
    assert set(FILES) == {str(rule.id) for rule in RULES}
    documents = [document for file in FILES.values() for document in file]
    ids = [UUID(document["id"]) for document in documents]
    names = [document["name"] for document in documents]
    assert len(set(ids)) == len(ids)
    assert len(set(names)) == len(names)
    assert all(one.version == 4 for one in ids)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_documents_have_the_form_of_sigma(rule: Rule) -> None:
    for document in FILES[rule.id]:
        assert ("detection" in document) != ("correlation" in document)
        assert document.keys() >= {"title", "id", "name", "status", "description", "author", "tags", "level"}
        assert document["level"] in ("informational", "low", "medium", "high", "critical")
        assert any(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in document["tags"])
        assert len(document["title"]) <= 110
    for document in base(rule.id):
        assert document["logsource"] == {"product": "secure_auth", "service": "audit"}
        assert document["detection"]["condition"] == "selection"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_selections_use_the_vocabulary_of_the_log(rule: Rule) -> None:
    types: set[str] = set()
    for document in base(rule.id):
        for field, given in document["detection"]["selection"].items():
            values = given if isinstance(given, list) else [given]
            if field in FIELDS:
                assert set(values) <= FIELDS[field]
            else:
                assert field in ("details.new_device", "details.login|exists")
                assert values == [True]
            types |= set(values) if field == "type" else set()
    assert types == set(rule.types)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_last_document_is_the_rule_with_its_level_threshold_and_window(rule: Rule) -> None:
    last = FILES[rule.id][-1]
    assert (last["name"], last["title"], last["level"]) == (rule.id, rule.title, rule.severity)
    assert last["falsepositives"]
    names = {document["name"] for document in FILES[rule.id]}
    thresholds = set()
    for document in correlations(rule.id):
        correlation = document["correlation"]
        assert set(correlation["rules"]) <= names
        assert SPANS[correlation["timespan"]] == rule.window_seconds
        if correlation["type"] in ("event_count", "value_count"):
            thresholds.add(correlation["condition"]["gte"])
            assert ("field" in correlation["condition"]) == (correlation["type"] == "value_count")
        else:
            assert correlation["type"] in ("temporal", "temporal_ordered")
    wanted = {number for minima in rule.reached for number in minima.values()}
    assert thresholds - {1} <= wanted
    assert max(wanted) in thresholds | {1}
    assert bool(rule.in_order) == any(
        document["correlation"]["type"] == "temporal_ordered" for document in correlations(rule.id)
    )
