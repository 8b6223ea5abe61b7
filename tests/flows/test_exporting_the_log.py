"""An auditor takes events along: in five formats, with the filters of reading, and not without a trace."""

import base64
import csv
import hashlib
import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.client import PASSWORD, Client, Person, expect
from tests.conftest import new_address
from tests.problems import problem
from tests.server import Server

TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header=present",
    "ocsf": "application/x-ndjson",
    "ecs": "application/x-ndjson",
    "cef": "text/plain; charset=utf-8",
}


@pytest.fixture(scope="module")
def auditor(server: Server) -> Iterator[tuple[Client, Person]]:
    client = Client(server, new_address())
    yield client, client.create_person(role="auditor")
    client.close()


def export(auditor: tuple[Client, Person], **query: str) -> httpx.Response:
    client, person = auditor
    return client.get("audit/export/", person.access, params=query)


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["id"] for line in answer.text.splitlines()]


@pytest.fixture
def journey(client: Client) -> Client:
    """A client with a handful of events."""
    client.http.headers["User-Agent"] = '=HYPERLINK("https://evil.example";"x")'
    person = client.sign_up()
    client.login(person, "wrong-" + PASSWORD)
    return client


def listed(auditor: tuple[Client, Person], **query: str) -> list[dict[str, Any]]:
    client, person = auditor
    return list(expect(client.get("audit/events/", person.access, params=query), 200)["results"])


@pytest.mark.parametrize("name", TYPES)
def test_each_format_holds_the_events_that_the_filters_select(
    auditor: tuple[Client, Person], journey: Client, name: str
) -> None:
    wanted = [event["id"] for event in listed(auditor, ip=journey.address)]
    answer = export(auditor, ip=journey.address, format=name)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == TYPES[name]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="audit-')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    found = {
        "jsonl": lambda line: json.loads(line)["id"],
        "ocsf": lambda line: json.loads(line)["metadata"]["uid"],
        "ecs": lambda line: json.loads(line)["event"]["id"],
        "cef": lambda line: line.partition("externalId=")[2].partition(" ")[0],
        "csv": lambda line: line.partition(",")[0],
    }[name]
    assert [found(line) for line in answer.text.splitlines()[name == "csv" :]] == wanted


def test_filters_limit_and_cursor_are_those_of_reading(
    auditor: tuple[Client, Person], journey: Client
) -> None:
    client, person = auditor
    mine = {"ip": journey.address}
    whole = [event["id"] for event in listed(auditor, **mine)]
    assert ids(export(auditor, **mine)) == whole
    assert ids(export(auditor, **mine, limit="2")) == whole[:2]
    failed = ids(export(auditor, **mine, outcome="failure", type="login.password"))
    assert failed == [event["id"] for event in listed(auditor, **mine, outcome="failure")]
    page = expect(client.get("audit/events/", person.access, params={**mine, "limit": "3"}), 200)
    cursor = httpx.URL(page["next"]).params["cursor"]
    assert ids(export(auditor, **mine, cursor=cursor)) == whole[3:]
    assert ids(export(auditor, **mine, q="HYPERLINK")) == whole
    assert ids(export(auditor, until="2020-01-01")) == []


def test_an_empty_csv_still_has_its_header(auditor: tuple[Client, Person]) -> None:
    answer = export(auditor, until="2020-01-01", format="csv", proof="true")
    (head,) = csv.reader(io.StringIO(answer.text))
    assert (head[0], head[-1]) == ("id", "proof")


@pytest.mark.parametrize(
    "query",
    [
        "format=xml",
        "proof=1",
        "order=user",
        "limit=0",
        "limit=x",
        "cursor=x",
        "colour=red",
        "type=login",
        "ip=1.2.3",
    ],
)
def test_bad_questions_are_refused_by_name_and_recorded(auditor: tuple[Client, Person], query: str) -> None:
    name, _, value = query.partition("=")
    answer = export(auditor, **{name: value})
    assert set(problem(answer, "validation_failed")["errors"]) == {name}
    client, _ = auditor
    reads = listed(auditor, type="audit.read", ip=client.address, outcome="failure", q="invalid_input")
    assert [read for read in reads if read["details"]["view"] == "export"]


def test_an_export_is_recorded_with_its_format_and_question(
    auditor: tuple[Client, Person], journey: Client
) -> None:
    _, person = auditor
    for _ in range(2):
        export(auditor, ip=journey.address, format="ecs", limit="1")
    export(auditor, ip=journey.address, format="csv", limit="1")
    reads = [
        read["details"]
        for read in listed(auditor, type="audit.read", session=person.session_id, q=journey.address)
        if read["details"]["view"] == "export"
    ]
    query = f"ip={journey.address}&limit=1"
    assert reads == [
        {"view": "export", "format": "csv", "query": query},
        {"view": "export", "format": "ecs", "query": query},
    ]


def test_people_without_the_role_export_nothing(client: Client) -> None:
    person = client.sign_up()
    problem(client.get("audit/export/", person.access), "permission_denied")
    problem(client.get("audit/export/"), "invalid_token")
    head = client.request("HEAD", "audit/export/", person.access)
    assert (head.status_code, head.content) == (403, b"")


def test_a_head_request_gets_no_body_and_keeps_no_place(auditor: tuple[Client, Person]) -> None:
    client, person = auditor
    for _ in range(10):
        answer = client.request("HEAD", "audit/export/", person.access)
        assert (answer.status_code, answer.content) == (200, b"")
    assert export(auditor, limit="1").status_code == 200


def test_nothing_follows_the_head_that_answers_head(auditor: tuple[Client, Person], server: Server) -> None:
    """httpx takes no notice of a last chunk there, but to a proxy it begins the next answer (RFC 9112 section 6.3)."""
    _, person = auditor
    host = server.origin.partition("://")[2]
    request = f"HEAD /api/v1/audit/export/ HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {person.access}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.nodes[0].port), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.index(b"\r\n\r\n") == len(answer) - 4


def root_by(proof: dict[str, Any], size: int) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    at, last = proof["index"], size - 1
    found = hashlib.sha256(b"\0" + proof["leaf"].encode()).digest()
    for step in map(base64.b64decode, proof["hashes"]):
        if at % 2 or at == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while not at % 2 and at:
                at, last = at // 2, last // 2
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        at, last = at // 2, last // 2
    assert last == 0
    return found


def test_each_event_brings_its_proof_under_one_checkpoint(
    auditor: tuple[Client, Person], journey: Client
) -> None:
    deadline = time.monotonic() + 20
    while True:
        lines = export(auditor, ip=journey.address, proof="true").text.splitlines()
        events = [json.loads(line) for line in lines]
        if all(event["proof"] for event in events):
            break
        assert time.monotonic() < deadline, "events stay pending"
        time.sleep(0.2)
    checkpoints = {event["proof"]["checkpoint"] for event in events}
    assert len(checkpoints) == 1
    _, size, root = checkpoints.pop().split("\n")[:3]
    for event in events:
        proof = event["proof"]
        assert base64.b64encode(root_by(proof, int(size))).decode() == root
        assert json.loads(proof["leaf"])["id"] == event["id"]
        assert proof["openings"]["ip"]["value"] == journey.address
        assert proof["erased"] == []
    in_order = ids(export(auditor, ip=journey.address, order="index"))
    assert sorted(in_order) == sorted(event["id"] for event in events)
    rows = list(csv.reader(io.StringIO(export(auditor, ip=journey.address, proof="true", format="csv").text)))
    assert json.loads(rows[1][-1])["leaf"] == events[0]["proof"]["leaf"]


def test_tree_order_goes_on_from_a_cursor_of_reading(auditor: tuple[Client, Person]) -> None:
    client, person = auditor
    asked = {"order": "index", "limit": "5"}
    page = expect(client.get("audit/events/", person.access, params=asked), 200)
    cursor = httpx.URL(page["next"]).params["cursor"]
    first = [event["id"] for event in page["results"]]
    assert ids(export(auditor, **asked)) == first
    rest = ids(export(auditor, order="index", cursor=cursor, limit="5"))
    assert not set(first) & set(rest)
    assert ids(export(auditor, order="index", limit=str(5 + len(rest)))) == first + rest
