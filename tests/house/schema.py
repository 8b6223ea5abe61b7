"""The committed OpenAPI document, and a judge of real answers by it."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.server import ROOT

PATH = ROOT / "docs" / "openapi.yaml"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # without the C library it takes three seconds
DOCUMENT: dict[str, Any] = yaml.load(PATH.read_text(), LOADER)
BASE = "urn:openapi"
REGISTRY: Registry[Any] = Registry().with_resource(BASE, DRAFT202012.create_resource(DOCUMENT))
ALWAYS = {"X-Request-ID"}
SOMETIMES = {"RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate"}
# What any address answers, whatever the operation (see the document's description).
ANYWHERE = {405, 413}


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Every operation by method and path."""
    return {
        (method.upper(), path): operation
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` of the document leads to."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    located = {"$id": BASE, **schema} if "$ref" not in schema else _absolute(schema)
    validator = Draft202012Validator(located, registry=REGISTRY)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _absolute(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$ref": BASE + schema["$ref"]}


def find_path(path: str) -> str:
    """The template of a path; the one with the fewest variables."""
    fitting: list[str] = [
        template for template in DOCUMENT["paths"] if re.fullmatch(_expression(template), path)
    ]
    assert fitting, f"{path} is not documented"
    return min(fitting, key=lambda template: template.count("{"))


def _expression(template: str) -> str:
    """The name of a tile has slashes."""
    return re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template).replace(r"\{tile\}", ".+"))


@dataclass
class Judge:
    """An httpx response hook: every answer must be one that the document tells."""

    seen: set[tuple[str, str, int, str]] = field(default_factory=set)

    def __call__(self, response: httpx.Response) -> None:
        """Raises AssertionError for an answer that is not documented."""
        response.read()
        request = response.request
        path = find_path(request.url.path)
        shown = f"{request.method} {path}: {response.status_code} {response.text[:300]}"
        assert set(response.headers) >= {name.lower() for name in ALWAYS}, shown
        operation = operations().get((request.method, path))
        if response.status_code in ANYWHERE and (
            operation is None or str(response.status_code) not in operation["responses"]
        ):
            return
        assert operation, shown
        answer = operation["responses"].get(str(response.status_code))
        assert answer, f"{shown}: this status is not documented"
        code = self._judge(resolve(answer), response, shown)
        self.seen.add((request.method, path, response.status_code, code))

    def _judge(self, answer: dict[str, Any], response: httpx.Response, shown: str) -> str:
        carried = {name for name in SOMETIMES if name in response.headers}
        assert carried <= set(answer["headers"]), f"{shown}: undocumented headers {carried}"
        if not answer.get("content"):
            assert not response.content, shown
            return ""
        kind = response.headers["Content-Type"].partition(";")[0]
        assert kind in answer["content"], f"{shown}: {kind} is not documented"
        if not kind.endswith(("/json", "+json")):
            return ""
        found = faults(answer["content"][kind]["schema"], response.json())
        assert not found, f"{shown}: {found}"
        return str(response.json().get("code", "")) if kind.startswith("application/problem") else ""
