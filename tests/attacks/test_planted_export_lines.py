"""Somebody plants formulas and lines where auditors will open them.

Attacker: anyone who can send a request. Move: a user agent that is a spreadsheet formula, or imitates the end
of an entry and a further one. Refusal: no cell of a CSV export begins with a formula sign, and an event stays one line
of every format, so that none can be forged inside another.
"""

import csv
import io
import json

import pytest

from tests.client import Client, expect, new_email
from tests.client import Person as Stranger

FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "=cmd|'/C calc'!A0", "\uff1d1")
FORGED = (
    'x" CEF:0|Secure Auth|Secure Auth|1|session.open|forged|1|suid=admin',
    "x|y\\|z externalId=forged",
    '"},{"id":"forged"}',
    "a\u2028b\u0085c",
    '","forged","',
)


@pytest.mark.parametrize("name", ["csv", "jsonl", "ecs", "ocsf", "cef"])
def test_what_a_client_calls_itself_stays_inside_its_field(client: Client, name: str) -> None:
    for agent in (*FORMULAS, *FORGED):
        headers = {"User-Agent": agent.encode()}
        assert (
            client.post("login/", {"email": new_email(), "password": "x" * 12}, headers=headers).status_code
            == 401
        )
    auditor = client.create_person(role="auditor")
    mine = {"ip": client.address, "type": "login.password", "outcome": "failure"}
    events = expect(client.get("audit/events/", auditor.access, params=mine), 200)["results"]
    answer = client.get("audit/export/", auditor.access, params={**mine, "format": name})
    text = answer.content.decode()
    if name == "csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) == len(events) + 1
        assert {len(row) for row in rows} == {13}
        assert not [cell for row in rows for cell in row if cell.lstrip()[:1] in tuple("=+-@\uff1d")]
        return
    lines = text.split("\n")
    assert lines.pop() == ""
    assert text.splitlines() == lines
    assert len(lines) == len(events)
    if name == "cef":
        assert all(line.startswith("CEF:0|Secure Auth|Secure Auth|1|login.password|") for line in lines)
    else:
        assert all(isinstance(json.loads(line), dict) for line in lines)


def test_an_account_name_reaches_no_export(client: Client) -> None:
    stranger = Stranger(new_email("=1+1"))
    client.login(stranger)
    auditor = client.create_person(role="auditor")
    answer = client.get("audit/export/", auditor.access, params={"ip": client.address, "format": "csv"})
    assert stranger.email not in answer.text
