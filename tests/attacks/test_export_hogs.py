"""Somebody with an auditor's token wears the service out by exports, or keeps reading after it was taken away.

Attacker: a stolen auditor's token, or a broken client. Move: exports that are asked for and not read, or left
half-way; an export that goes on while the session is revoked, or the role taken away. Refusal: a few places for
exports in each process, half of them for one auditor, and 503 beyond them; places of clients that hang up are free at
once, everybody else is served meanwhile; an export ends with its session, and an answer that was cut off is not taken
for a whole one.
"""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.client import Client, Person, code_of, expect
from tests.server import Server, running_server

EVENTS = 20_000
AT_ONCE = 4
OF_ONE = 2


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One process with a log that does not fit into the buffers of a connection."""
    environment = {"SERVER_WORKERS": "1", "SERVER_THREADS": "8"}
    directory = tmp_path_factory.mktemp("hogs")
    with running_server(request.param, directory, environment=environment) as running:
        fill(running)
        yield running


def fill(server: Server) -> None:
    """Events by the database itself; they are never integrated, which an export does not mind."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS})"
    columns = "id, time, type, outcome, reason, severity, session, request_id, details, commitments"
    name = "('0193aaaa-0000-7000-8000-' || substr('000000000000' || i, -12))"
    if server.backend == "postgres":
        name = "('0193aaaa-0000-7000-8000-' || lpad(i::text, 12, '0'))"
    server.rows(
        f"INSERT INTO audit_event ({columns}) {numbers} SELECT {name}, '2024-12-09 11:00:00.123000', "
        f"'token.refresh', 'success', '', 'info', '', 'r-' || i, '{{}}', '{{}}' FROM n"
    )


@contextlib.contextmanager
def asked(server: Server, token: str, query: str = "format=ecs") -> Iterator[socket.socket]:
    """A connection whose export was asked for, and of which nothing is read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.nodes[0].port))
        connection.sendall(
            f"GET /api/v1/audit/export/?{query} HTTP/1.1\r\nHost: {server.origin.partition('://')[2]}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        yield connection


def wait_until_free(client: Client, person: Person) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = client.get("audit/export/", person.access, params={"limit": "1"})
        if answer.status_code == 200:
            return
        assert code_of(answer) == "service_unavailable"
        time.sleep(0.2)
    raise AssertionError("no place became free")


def test_unread_exports_hold_few_places_and_nobody_up(busy: Server, visit: Callable[..., Client]) -> None:
    client = visit(busy)
    auditor, person = client.create_person(role="auditor"), client.create_person()
    other, late = (client.create_person(role="auditor") for _ in range(2))
    with contextlib.ExitStack() as stack:
        for one, next_one in ((auditor, auditor), (other, late)):
            assert client.get("audit/export/", one.access, params={"limit": "1"}).status_code == 200
            for _ in range(OF_ONE):
                stack.enter_context(asked(busy, one.access))
            time.sleep(1)
            refused = client.get("audit/export/", next_one.access)
            assert code_of(refused) == "service_unavailable"
            assert refused.headers["Retry-After"]
        for _ in range(20):
            expect(client.me(person.access), 200)
        expect(client.get("audit/events/", auditor.access), 200)
    wait_until_free(client, auditor)
    reads = expect(
        client.get("audit/events/", auditor.access, params={"q": "capacity", "type": "audit.read"}), 200
    )
    assert reads["results"][0]["details"]["view"] == "export"


def test_a_client_that_hangs_up_ends_a_search_that_finds_nothing(
    busy: Server, visit: Callable[..., Client]
) -> None:
    client = visit(busy)
    auditor = client.create_person(role="auditor")
    for _ in range(3 * AT_ONCE):
        with asked(busy, auditor.access, "q=nothing-like-it"):
            pass
    wait_until_free(client, auditor)


@pytest.mark.parametrize("right", ["session", "role"])
def test_an_export_ends_with_what_opened_it_and_looks_unfinished(
    busy: Server, visit: Callable[..., Client], right: str
) -> None:
    client = visit(busy)
    auditor, kept = client.create_person(role="auditor"), client.create_person(role="auditor")
    with asked(busy, auditor.access) as connection:
        assert b"200 OK" in connection.recv(4096)
        take_away(busy, client, auditor, right)
        time.sleep(5.5)  # a session is looked at again every five seconds
        rest = b""
        connection.settimeout(20)
        while chunk := connection.recv(1 << 20):
            rest += chunk
    assert not rest.endswith(b"0\r\n\r\n")
    assert rest.count(b"@timestamp") < EVENTS
    wait_until_free(client, kept)


def take_away(server: Server, client: Client, auditor: Person, right: str) -> None:
    if right == "session":
        expect(client.post("logout/", token=auditor.access), 204)
    else:
        server.manage("set_role", auditor.email, "none", "--reason", "left the team")


def test_a_whole_export_has_an_end(busy: Server, visit: Callable[..., Client]) -> None:
    client = visit(busy)
    auditor = client.create_person(role="auditor")
    answer = client.get("audit/export/", auditor.access)
    lines = answer.text.splitlines()
    assert len(lines) > EVENTS
    assert len({json.loads(line)["id"] for line in lines}) == len(lines)
    connection = http.client.HTTPConnection("127.0.0.1", busy.nodes[0].port)
    headers = {"Authorization": f"Bearer {auditor.access}", "Host": busy.origin.partition("://")[2]}
    connection.request("GET", "/api/v1/audit/export/?limit=3", headers=headers)
    assert len(connection.getresponse().read().splitlines()) == 3
    connection.close()
