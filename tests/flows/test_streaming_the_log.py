"""The same events as JSON lines on standard output, and the pipelines of deploy/pipelines over such lines."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.client import Client, expect, new_email
from tests.conftest import new_address
from tests.server import ROOT, Server
from tests.unit.audit.ecs_schema import FIELDS

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PIPELINES = ROOT / "deploy" / "pipelines"


def lines_of(server: Server, address: str) -> list[dict[str, Any]]:
    """The audit lines about a source."""
    found = [json.loads(line) for line in server.logs(f'"{address}"').splitlines() if line.startswith("{")]
    return [line for line in found if line.get("event") == "audit" and line["source"]["ip"] == address]


def fail(client: Client, **headers: str) -> None:
    body = {"email": new_email(), "password": "a wrong phrase"}
    assert client.post("login/", body, headers=headers).status_code == 401


@pytest.fixture
def traced(server: Server, client: Client) -> dict[str, Any]:
    """The line of an event inside a trace."""
    fail(client, traceparent=f"00-{TRACE}-{SPAN}-01", **{"X-Request-ID": "r-77", "User-Agent": "Tester/1"})
    (line,) = lines_of(server, client.address)
    return line


def test_a_line_is_the_event_with_trace_and_request_id(server: Server, traced: dict[str, Any]) -> None:
    assert (traced["trace_id"], traced["span_id"]) == (TRACE, SPAN)
    assert traced["request_id"] == traced["source"]["request_id"] == "r-77"
    client = Client(server, new_address())
    auditor = client.create_person(role="auditor")
    shown = expect(client.get(f"audit/events/{traced['id']}/", auditor.access), 200)
    assert {name: traced[name] for name in shown} == shown
    client.close()


@pytest.mark.parametrize(
    "value",
    [
        "", "x", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01", f'00-{TRACE}-{SPAN}-01"}}',
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_ignored(server: Server, client: Client, value: str) -> None:
    fail(client, traceparent=value)
    (line,) = lines_of(server, client.address)
    assert not {"trace_id", "span_id"} & set(line)


def by_vector(line: dict[str, Any]) -> dict[str, Any]:
    """Vector's remap, as far as deploy/pipelines/vector.toml goes: assignments of fields and constants."""
    config = tomllib.loads((PIPELINES / "vector.toml").read_text())
    assert config["transforms"]["audit"]["condition"] == '.event == "audit"'
    first, second, *body, last = config["transforms"]["ecs"]["source"].strip().splitlines()
    assert (first, second, last[:12]) == ("e = .", ". = {}", ". = compact(")
    found = {}
    for step in body:
        target, source = re.fullmatch(r'\.("?[@\w.]+"?) = (e(?:\.\w+)+|"[^"]*")', step).groups()  # type: ignore[union-attr]
        value: Any = source.strip('"')
        if source.startswith("e."):
            value = line
            for name in source.split(".")[1:]:
                value = value.get(name)
        found[target.strip('"')] = value
    return {name: value for name, value in found.items() if value not in (None, "", {})}


def by_fluent_bit(line: dict[str, Any]) -> dict[str, Any]:
    """Fluent Bit's filters, as far as deploy/pipelines/fluent-bit.yaml uses them."""
    config = yaml.safe_load((PIPELINES / "fluent-bit.yaml").read_text())
    found = dict(line)
    for step in config["pipeline"]["filters"]:
        if step["name"] == "grep":
            key, pattern = step["regex"].split(" ")
            assert re.search(pattern, str(found[key]))
        elif step["name"] == "nest":
            nested = found.pop(step["nested_under"])
            found |= {step["add_prefix"] + name: value for name, value in nested.items()}
        else:
            if "condition" in step:
                kind, key, pattern = step["condition"].split(" ")
                assert kind == "Key_value_does_not_match"
                if key not in found or re.search(pattern, found[key]):
                    continue
            for name in step.get("remove", []):
                found.pop(name, None)
            for rule in step.get("rename", []):
                old, new = rule.split(" ")
                if old in found:
                    found[new] = found.pop(old)
            found |= dict(rule.split(" ", 1) for rule in step.get("set", []))
    return {
        name: value for name, value in found.items() if value != {}
    }  # an object without fields, to an index


@pytest.mark.parametrize("pipeline", [by_vector, by_fluent_bit])
def test_pipelines_make_of_a_real_line_what_an_export_holds(
    server: Server, traced: dict[str, Any], pipeline: Any
) -> None:
    made = pipeline(traced)
    assert (made.pop("trace.id"), made.pop("span.id")) == (TRACE, SPAN)
    assert {name for name in made if not name.startswith("secure_auth.")} <= FIELDS.keys()
    client = Client(server, new_address())
    auditor = client.create_person(role="auditor")
    query = {"format": "ecs", "request_id": "r-77", "ip": traced["source"]["ip"]}
    answer = client.get("audit/export/", auditor.access, params=query)
    exported = json.loads(answer.text)
    for name, value in made.items():
        told: Any = exported
        for part in name.split("."):
            told = told[part]
        assert told == value, name
    client.close()


@pytest.mark.parametrize("pipeline", [by_vector, by_fluent_bit])
def test_pipelines_leave_out_what_is_empty(server: Server, pipeline: Any) -> None:
    lines = [json.loads(line) for line in server.logs("log.start").splitlines() if line.startswith("{")]
    start = next(line for line in lines if line.get("type") == "log.start")
    assert start["source"]["ip"] == ""
    assert "" not in pipeline(start).values()
