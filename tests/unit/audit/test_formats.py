"""Each export format writes one line an event, escaped as its standard wants, with nothing of the event lost."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.events import EventType, Outcome, Severity
from audit.formats import WRITERS, cef, ecs, ocsf
from audit.formats.csv_rows import COLUMNS
from audit.records import Record
from audit.vocabulary import Format
from tests.unit.audit.ecs_schema import CATEGORIES, EXPECTED, FIELDS

ID = "01a20a2c-881d-764c-ae95-3fa17434e261"
PROOF = {"leaf": "{}", "index": 7, "hashes": ["aGFzaA=="], "checkpoint": "origin\n8\nroot\n\n— sig\n"}
FORMULA_SIGNS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
BLANKS = " \u00a0\u200b\ufeff"
NASTY = "=1+1|\\a=b\r\nCEF:0|x|\t\u2028\u2029\u0085\x1b[31m\x00\"'"
SEPARATORS = re.compile("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def record(**changes: Any) -> Record:
    """A wrong password, changed."""
    values: dict[str, Any] = {
        "id": ID,
        "time": datetime(2026, 11, 23, 20, 50, 20, 317000, tzinfo=UTC),
        "type": "login.password",
        "outcome": "failure",
        "reason": "wrong_password",
        "severity": "low",
        "session": "s-1",
        "request_id": "r-1",
        "details": {"method": "totp"},
        "commitments": {},
        "user": "user-1",
        "ip": "192.0.2.1",
        "user_agent": "Firefox",
    }
    return Record(**{**values, **changes})


@pytest.mark.parametrize("name", list(Format))
@pytest.mark.parametrize("proof", [None, {}, PROOF], ids=["no proof", "pending", "proof"])
def test_every_event_is_one_line(name: Format, proof: dict[str, Any] | None) -> None:
    event = record(user_agent=NASTY, text={"note": NASTY}, subject=NASTY, reason=NASTY)
    line = WRITERS[name].line(event, proof)
    assert line.endswith("\n")
    if name is Format.CSV:
        assert len(list(csv.reader(io.StringIO(line, newline="")))) == 1
    else:
        assert not SEPARATORS.search(line[:-1])


def test_jsonl_is_the_event_as_the_api_shows_it() -> None:
    event = record(text={"note": "Zoë"})
    assert json.loads(WRITERS[Format.JSONL].line(event, None)) == event.as_dict()
    assert json.loads(WRITERS[Format.JSONL].line(event, {})) == {**event.as_dict(), "proof": None}
    assert json.loads(WRITERS[Format.JSONL].line(event, PROOF))["proof"] == PROOF


@pytest.mark.parametrize("sign", [*FORMULA_SIGNS, *(f"{blank}=" for blank in BLANKS), "  \ufeff@"])
def test_no_csv_cell_begins_with_a_formula_sign(sign: str) -> None:
    planted = f'{sign}cmd|"/C calc"!A0'
    line = WRITERS[Format.CSV].line(record(user_agent=planted, subject=planted, reason=planted), PROOF)
    (cells,) = csv.reader(io.StringIO(line, newline=""))
    assert not [cell for cell in cells if cell.lstrip(BLANKS)[:1] in tuple(FORMULA_SIGNS)]
    assert cells[COLUMNS.index("user_agent")] == "'" + planted


@pytest.mark.parametrize("divider", [";", "\t", "; ", "\r\n"])
def test_no_csv_cell_of_a_spreadsheet_that_divides_elsewhere_begins_with_a_formula_sign(divider: str) -> None:
    planted = f"x{divider}=cmd|'/C calc'!A0;y"
    proof = {**PROOF, "openings": {"user_agent": planted}}
    line = WRITERS[Format.CSV].line(record(user_agent=planted, text={"note": planted}), proof)
    parts = re.split("[;\t\r\n]+", line)
    assert not [part for part in parts if part.lstrip(BLANKS)[:1] in tuple(FORMULA_SIGNS)]
    (cells,) = csv.reader(io.StringIO(line, newline=""))
    assert json.loads(cells[COLUMNS.index("details")])["note"] == planted
    assert json.loads(cells[-1]) == proof


@pytest.mark.parametrize("divider", [";", "\t"])
def test_quotes_around_what_a_spreadsheet_divides_hide_no_formula(divider: str) -> None:
    """Such a program takes a doubled quote at the beginning of its cell for an empty text in front of the rest."""
    for opening in ('"', '""', ' "', '" '):
        planted = f"x{divider}{opening}=1+1{divider}y"
        line = WRITERS[Format.CSV].line(record(user_agent=planted), None)
        (cells,) = csv.reader(io.StringIO(line, newline=""), delimiter=divider)
        assert not [cell for cell in cells if cell.lstrip(BLANKS + '"')[:1] in tuple(FORMULA_SIGNS)]


def test_csv_has_a_header_and_the_same_number_of_cells_in_each_line() -> None:
    for with_proofs, proof in ((False, None), (True, {}), (True, PROOF)):
        text = WRITERS[Format.CSV].head(with_proofs) + WRITERS[Format.CSV].line(record(), proof)
        head, row = csv.reader(io.StringIO(text, newline=""))
        assert len(head) == len(row) == len(COLUMNS) + with_proofs
        assert text.count("\r\n") == 2
    assert json.loads(row[-1]) == PROOF


def parse_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Header fields and extension, by the rules of the CEF guide, version 26."""
    *head, extension = re.split(r"(?<!\\)\|", line.rstrip("\n"), maxsplit=7)
    pairs = re.findall(r"(\w+)=((?:\\.|[^\\=])*)(?=\s\w+=|$)", extension)
    unescape = {"\\n": "\n", "\\r": "\r", "\\\\": "\\", "\\=": "="}
    return head, {key: re.sub(r"\\[nr\\=]", lambda found: unescape[found[0]], value) for key, value in pairs}


def test_cef_escapes_and_comes_back_whole() -> None:
    head, pairs = parse_cef(WRITERS[Format.CEF].line(record(user_agent="a=b\\c|d\r\ne"), None))
    assert head == [
        "CEF:0", "Secure Auth", "Secure Auth", "1", "login.password", "login.password failure", "3",
    ]  # fmt: skip
    assert pairs["requestClientApplication"] == "a=b\\c|d\r\ne"
    assert pairs["rt"] == "1795467020317"
    assert (pairs["src"], pairs["suid"], pairs["externalId"]) == ("192.0.2.1", "user-1", ID)
    labelled = {pairs[f"{key}Label"]: value for key, value in pairs.items() if f"{key}Label" in pairs}
    assert labelled == {"session": "s-1", "requestId": "r-1", "details": '{"method":"totp"}'}
    _, sixth = parse_cef(WRITERS[Format.CEF].line(record(ip="2001:db8::1"), None))
    assert sixth["c6a2"] == "2001:db8::1"
    assert "src" not in sixth


def flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Fields by their dotted names; what is ours ends at `secure_auth`."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict) and name != "secure_auth":
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


@pytest.mark.parametrize("type_", list(EventType))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_ecs_uses_fields_and_categories_that_ecs_has(type_: EventType, outcome: Outcome) -> None:
    event = record(type=str(type_), outcome=str(outcome), subject="digest", details={"actor": "admin-1"})
    fields = flat(ecs.document(event, PROOF))
    assert fields.pop("secure_auth")["proof"] == PROOF
    assert set(fields) <= FIELDS.keys()
    for name, value in fields.items():
        assert isinstance(value, list) == FIELDS[name], name
    assert fields["ecs.version"] == "9.4.0"
    assert fields["event.outcome"] == str(outcome)
    assert set(fields["event.category"]) <= CATEGORIES
    allowed = set().union(*(EXPECTED[category] for category in fields["event.category"]))
    assert set(fields["event.type"]) <= allowed
    assert (fields["user.id"], fields["user.target.id"]) == ("admin-1", "user-1")


def test_cef_names_who_acted_as_the_source_and_whom_as_the_destination() -> None:
    done = cef.line(record(type="account.disable", details={"actor": "admin-1"}), None)
    assert " suid=admin-1 duid=user-1 " in done
    for own in ({}, {"actor": "user-1"}):
        line = cef.line(record(details=own), None)
        assert " suid=user-1 " in line
        assert "duid=" not in line


def test_who_acts_upon_himself_is_no_target_in_ecs() -> None:
    document = ecs.document(record(type="session.revoke", details={"actor": "user-1"}), None)
    assert (document["user"], document["related"]["user"]) == ({"id": "user-1"}, ["user-1"])


def test_every_type_has_a_place_in_ecs_and_ocsf() -> None:
    for known in (set(ecs._KIND_OF), set(ocsf._ACTIVITY_OF)):
        assert known == {str(type_) for type_ in EventType}
    for table in (ecs.SEVERITIES, ocsf.SEVERITIES):
        assert set(table) == {str(severity) for severity in Severity}


def test_a_completed_login_is_one_successful_logon() -> None:
    logons = [
        str(type_)
        for type_ in EventType
        if ocsf.event(record(type=str(type_), outcome="success"), None)["type_uid"] == 300201
    ]
    assert logons == ["session.open"]
    failed = ocsf.event(record(), None)
    assert (failed["type_uid"], failed["status_id"], failed["user"]["uid"]) == (300201, 2, "user-1")
