"""Attacker: anyone who can send bytes. Move: a body of thousands of small faults, each of which is told.

Expected: the refusal is no longer than the request.
"""

import json

import pytest

from tests.client import Client, code_of
from tests.problems import problem

BODIES = {
    "unknown fields": {"email": "a@example.org", **{f"f{number}": 0 for number in range(4000)}},
    "bad members": {"email": ["a"] * 4000, **{f"{number}": {} for number in range(2000)}},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["login/", "register/", "password/reset/"])
def test_refusal_of_many_faults_is_short(client: Client, path: str, body: dict[str, object]) -> None:
    sent = json.dumps(body)
    answer = client.http.post(f"/api/v1/{path}", content=sent, headers={"Content-Type": "application/json"})
    assert code_of(answer) == "validation_failed"
    assert 1 < len(problem(answer)["errors"]) <= 50
    assert len(answer.content) < len(sent)


def test_refusal_of_many_faults_in_one_field_is_short(client: Client) -> None:
    person = client.sign_up()
    body = {"credential": {"response": {"transports": [0] * 4000}}}
    answer = client.post("mfa/webauthn/", body, person.access)
    assert code_of(answer) == "validation_failed"
    assert len(answer.content) < len(json.dumps(body))
