"""The OpenAPI document: it is the code's, it is complete, and its examples keep to it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.filters import FILTERS
from secure_auth.administration import ACTIONS
from secure_auth.errors import Code
from tests.client import Client
from tests.house.schema import DOCUMENT, PATH, faults, operations, resolve
from tests.problems import problem
from tests.server import ROOT

pytestmark = pytest.mark.xdist_group("house")
OPERATIONS = sorted(operations())
UNLIMITED = {"/healthz", "/readyz"}


def test_committed_schema_is_what_the_code_generates_without_warnings(tmp_path: Path) -> None:
    generated = tmp_path / "openapi.yaml"
    environment = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "spectacular",
            "--validate",
            "--fail-on-warn",
            "--file",
            str(generated),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert generated.read_text() == PATH.read_text(), "run `make schema`"


def test_schema_of_the_running_service_is_the_committed_one(visitor: Callable[[], Client]) -> None:
    client = visitor()
    as_yaml = client.get("/api/schema/")
    assert as_yaml.headers["Content-Type"] == "application/vnd.oai.openapi"
    assert as_yaml.text == PATH.read_text()
    by_query = client.get("/api/schema/", params={"format": "json"})
    by_header = client.get("/api/schema/", headers={"Accept": "application/json"})
    for as_json in (by_query, by_header):
        assert as_json.headers["Content-Type"] == "application/json"
        assert as_json.json() == DOCUMENT


def test_schema_answers_any_accept_header(visitor: Callable[[], Client]) -> None:
    answer = visitor().get("/api/schema/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_documented_operation_answers_and_counts(
    method: str, path: str, visitor: Callable[[], Client]
) -> None:
    address = path.replace("{action}", "unlock").replace("{level}", "0").replace("{tile}", "000.p/1")
    address = address.replace("{number}", "1")
    for name in (
        "user_id",
        "event_id",
        "authenticator_id",
        "session_id",
        "device_id",
        "detection_id",
        "invitation_id",
    ):
        address = address.replace(f"{{{name}}}", "00000000-0000-7000-8000-000000000000")
    answer = visitor().request(method, address)
    assert str(answer.status_code) in operations()[method, path]["responses"]
    assert answer.status_code not in (404, 405, 500)
    assert ("RateLimit" in answer.headers) == (path not in UNLIMITED)


def test_every_operation_has_a_summary_and_a_success() -> None:
    for where, operation in operations().items():
        assert operation["summary"], where
        assert [status for status in operation["responses"] if status.startswith("2")], where
        assert "security" in operation, where


def test_every_body_and_answer_has_examples_that_keep_to_its_schema() -> None:
    for where, operation in operations().items():
        told = [operation.get("requestBody", {}), *map(resolve, operation["responses"].values())]
        for media in [
            media
            for part in told
            for kind, media in part.get("content", {}).items()
            if kind != "application/octet-stream"
        ]:
            shown = [resolve(example)["value"] for example in media.get("examples", {}).values()]
            shown += [part["example"] for part in (media, media["schema"]) if "example" in part]
            assert shown, where
            for value in shown:
                assert not faults(media["schema"], value), where


def test_bodies_refuse_unknown_fields_in_the_schema_too() -> None:
    """But where an RFC wants them passed over: what takes forms."""
    contents = [operation.get("requestBody", {}).get("content", {}) for operation in operations().values()]
    bodies = [
        resolve(media["schema"])
        for content in contents
        for media in content.values()
        if "application/x-www-form-urlencoded" not in content
    ]
    assert len(bodies) > 10
    assert all(body["additionalProperties"] is False for body in bodies)


def test_only_what_is_read_is_told_as_a_body() -> None:
    told = {
        path for (method, path), one in operations().items() if method == "DELETE" and "requestBody" in one
    }
    assert told == {"/api/v1/me/"}


def test_patterns_of_addresses_hold_as_a_whole() -> None:
    shown = [resolve(one) for operation in operations().values() for one in operation["parameters"]]
    (level,) = {one["schema"]["pattern"] for one in shown if one["name"] == "level"}
    assert [name for name in ("0", "63", "64", "9x", "x12", "163") if re.search(level, name)] == ["0", "63"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("login/", ("email", "password")),
        ("password/reset/confirm/", ("token", "new_password")),
        ("token/verify/", ("token",)),
    ],
)
def test_empty_strings_that_are_refused_are_refused_by_the_schema_too(
    path: str, fields: tuple[str, ...], visitor: Callable[[], Client]
) -> None:
    body = dict.fromkeys(fields, "")
    errors = problem(visitor().post(path, body), "validation_failed")["errors"]
    assert {name: fault[0]["code"] for name, fault in errors.items()} == dict.fromkeys(fields, "blank")
    told = operations()["POST", f"/api/v1/{path}"]["requestBody"]["content"]["application/json"]["schema"]
    assert len(faults(told, body)) == len(fields)


def codes_of(operation: dict[str, Any]) -> set[str]:
    answers = [resolve(answer) for answer in operation["responses"].values()]
    media = [answer.get("content", {}).get("application/problem+json") for answer in answers]
    return {code for one in media if one for code in one["schema"]["properties"]["code"]["enum"]}


def test_every_operation_tells_the_problems_that_its_token_and_body_imply() -> None:
    for where, operation in operations().items():
        codes = codes_of(operation)
        assert "internal_error" in codes, where
        if operation["security"] and operation["security"] != [{"clientCredentials": []}]:
            assert "invalid_token" in codes, where
        if any(roles for one in operation["security"] for roles in one.values()):
            assert "permission_denied" in codes, where
        if "requestBody" in operation:
            assert codes >= {"payload_too_large", "unsupported_media_type"}, where
            by_oauth = "application/x-www-form-urlencoded" in operation["requestBody"]["content"]
            assert by_oauth != ("validation_failed" in codes), where
        if "{" in where[1]:
            assert "not_found" in codes, where


def test_every_status_that_asks_to_wait_tells_how_long() -> None:
    for where, operation in operations().items():
        for status, answer in operation["responses"].items():
            told = resolve(answer)
            if status == "429" or (status == "503" and "application/problem+json" in told["content"]):
                assert "Retry-After" in told["headers"], where
            assert "X-Request-ID" in told["headers"], where


def test_audit_filters_in_the_schema_are_those_that_the_log_knows() -> None:
    parameters = DOCUMENT["paths"]["/api/v1/audit/events/"]["get"]["parameters"]
    names = {resolve(one)["name"] for one in parameters} - {"X-Request-ID"}
    assert names == {*FILTERS, "cursor", "limit", "order"}


def test_admin_actions_in_the_schema_are_those_that_exist() -> None:
    parameters = DOCUMENT["paths"]["/api/v1/admin/users/{user_id}/{action}/"]["post"]["parameters"]
    action = next(one for one in parameters if one.get("name") == "action")
    assert set(action["schema"]["enum"]) == set(ACTIONS)


def test_codes_in_the_schema_are_those_of_the_service() -> None:
    assert DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == [
        code.slug for code in Code
    ]


@pytest.mark.parametrize("code", list(Code), ids=lambda code: code.slug)
def test_every_problem_has_its_page(code: Code, visitor: Callable[[], Client]) -> None:
    page = visitor().get(f"/problems/{code.slug}/")
    assert page.status_code == 200
    assert code.slug in page.text
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
