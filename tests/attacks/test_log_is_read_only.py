"""Somebody who may read the log tries to write it, or to read more of it than the questions allow.

Attacker: an auditor, an admin, or a token of theirs. Move: every method at every address of the log; cursors of their
own making; filters that are SQL. Refusal: nothing but GET is known there, no admin action names an event, a value of a
filter is a value or is refused by name, and the log is what it was.
"""

import base64
from collections.abc import Callable

import pytest

from tests.client import Client, code_of, expect
from tests.problems import problem
from tests.server import Server

INJECTIONS = (
    "' OR '1'='1",
    "'; DELETE FROM audit_event; --",
    '" UNION SELECT * --',
    "%' ESCAPE '!' OR 1=1--",
    "x\\",
    "{{7*7}}",
    "%s%s%s",
)
CURSORS = ("<' OR 1=1 --", ">" + "'" * 36, "<~~", "<=" + "0" * 35, ">-1", "<1;2", "=" + "0" * 36, "")


def counts(server: Server) -> list[tuple[int, ...]]:
    return [
        server.rows(f"SELECT count(*) FROM {table} WHERE {key} <= '01a'")[0]
        for table, key in (("audit_event", "id"), ("audit_personaldata", "event"))
    ]


def test_nobody_writes_to_the_log(client: Client, new_client: Callable[..., Client]) -> None:
    for role in ("auditor", "admin"):
        caller = new_client()
        person = caller.create_person(role=role)
        event = expect(caller.get("audit/events/?limit=1", person.access), 200)["results"][0]
        before = expect(caller.get(f"audit/events/{event['id']}/", person.access), 200)
        for path in (
            "audit/events/", f"audit/events/{event['id']}/", f"audit/events/{event['id']}/proof/", "audit/summary/",
            "audit/export/", "audit/log/checkpoint", "audit/log/vkey",
        ):  # fmt: skip
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                answer = caller.request(method, path, person.access, json={"outcome": "success"})
                assert code_of(answer) == "method_not_allowed", (method, path)
                assert answer.headers["Allow"] in ("GET", "GET, HEAD"), path
        assert expect(caller.get(f"audit/events/{event['id']}/", person.access), 200) == before


@pytest.mark.parametrize("path", ["audit/events/", "audit/export/"])
def test_filters_are_values_and_never_statements(server: Server, client: Client, path: str) -> None:
    auditor = client.create_person(role="auditor")
    before = counts(server)
    for name in (
        "type",
        "outcome",
        "severity",
        "user",
        "ip",
        "session",
        "request_id",
        "since",
        "until",
        "cursor",
        "order",
    ):
        for value in INJECTIONS:
            answer = client.get(path, auditor.access, params={name: value})
            assert set(problem(answer, "validation_failed")["errors"]) == {name}
    for value in INJECTIONS:
        answer = client.get(path, auditor.access, params={"q": value, "until": "2020-01-01"})
        assert answer.status_code == 200, value
        assert code_of(client.get(path, auditor.access, params={value: "x"})) == "validation_failed"
    assert counts(server) == before


@pytest.mark.parametrize("order", ["time", "index"])
def test_cursors_of_ones_own_making_are_refused(client: Client, order: str) -> None:
    auditor = client.create_person(role="auditor")
    for text in CURSORS[:-1]:
        cursor = base64.urlsafe_b64encode(text.encode()).decode()
        for path in ("audit/events/", "audit/export/"):
            answer = client.get(path, auditor.access, params={"cursor": cursor, "order": order})
            if answer.status_code == 200 and order == "index":
                continue
            assert set(problem(answer, "validation_failed")["errors"]) == {"cursor"}, text
